//! The project's documents, as pages of this documentation: the module has nothing to call.
//!
//! The package has them as files, too. Start with the [`guide`]; [`cli`] is for the command.

macro_rules! documents {
    ($($name:ident $path:tt)*) => {$(
        #[cfg_attr(feature = "derive", doc = flatrec_derive::document!($path))]
        #[cfg_attr(not(feature = "derive"), doc = "Shown with the feature `derive`.")]
        pub mod $name {}
    )*};
}

documents! {
    readme "README.md"
    guide "docs/GUIDE.md"
    cli "docs/CLI.md"
    formats "docs/FORMATS.md"
    compare "docs/COMPARE.md"
    durability "docs/DURABILITY.md"
    concurrency "docs/CONCURRENCY.md"
    observability "docs/OBSERVABILITY.md"
    safety "docs/SAFETY.md"
    platforms "docs/PLATFORMS.md"
    stability "docs/STABILITY.md"
    format "docs/FORMAT.md"
    foreign "docs/FOREIGN.md"
    glossary "docs/GLOSSARY.md"
    win32 "docs/WIN32.md"
    figures "docs/FIGURES.md"
    design "docs/DESIGN.md"
    changelog "CHANGELOG.md"
    contributing "CONTRIBUTING.md"
}
