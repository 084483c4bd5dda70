//! An attribute macro that changes a struct after a derive above it has read it.

use proc_macro::{Group, TokenStream, TokenTree};

/// Replaces a token by other tokens: `#[change(u8 => bool)]`.
#[proc_macro_attribute]
pub fn change(rule: TokenStream, item: TokenStream) -> TokenStream {
    let mut rule = rule.into_iter();
    let from = rule.next().expect("a token to be replaced").to_string();
    let to: TokenStream = rule.skip(2).collect(); // behind `=>`
    replaced(item, &from, &to)
}

fn replaced(tokens: TokenStream, from: &str, to: &TokenStream) -> TokenStream {
    let change = |token: TokenTree| match token {
        TokenTree::Group(group) => {
            let inner = replaced(group.stream(), from, to);
            TokenTree::from(Group::new(group.delimiter(), inner)).into()
        }
        token if token.to_string() == from => to.clone(),
        token => TokenStream::from(token),
    };
    tokens.into_iter().map(change).collect()
}
