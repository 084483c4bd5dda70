//! Conditions whose error must not lead to a wrong answer.

use super::*;

fn refused(place: &Place, condition: &str) -> String {
    place.error(["scan", "s.rec", "--where", condition])
}

/// The advice was to write `'400'`, which finds the records whose text is greater.
#[test]
fn a_number_beside_a_column_of_text_is_an_error_that_says_why_it_is_text() {
    let place = Place::new();
    place.write("in.csv", "delay,dest,mixed\n2,IAH,1\nNA,MIA,a\n853,HNL,b\n-5,,c\n,,d\n7,x,e\n");
    let run = place.run(["load", "in.csv", "s.rec"]);
    assert_eq!(run.status, Some(0), "{run:?}");
    assert_eq!(
        refused(&place, "delay > 400"),
        "read the condition: invalid argument: the utf8(3) field \"delay\" cannot be compared with \
         the number 400 (the column is text, because of values like \"NA\": load the file again \
         with --null-in delay=NA, and it has numbers; text in single quotes compares letter by \
         letter, so that '1000' is less than '400'); for what conditions can say, see: flatrec \
         scan --help"
    );
    let said = refused(&place, "5 IN (dest) OR dest = 5");
    assert!(!said.contains("'5'"), "{said}");
    let said = refused(&place, "dest = 5");
    assert!(
        said.contains("its values are text, such as \"IAH\", \"MIA\", \"HNL\": compare it with"),
        "{said}"
    );
    let said = refused(&place, "mixed BETWEEN 1 AND 2");
    assert!(said.contains("with a --schema that makes it a number"), "{said}");
    let said = refused(&place, "lower(dest) = 5");
    assert!(said.contains("the function lower is not part of this language;"), "{said}");
    // What the advice says to do works.
    place.ok(["load", "in.csv", "s.rec", "--force", "--null-in", "delay=NA"]);
    assert_eq!(place.ok(["scan", "s.rec", "--count", "--where", "delay > 400"]), "1\n");
}
