//! "Did you mean": the field name nearest to an unknown one.

use crate::error::{Error, ErrorKind, Result, named, quoted};
use crate::format::{Field, Schema};

/// The field `name`, or an error of `operation` that suggests the nearest name or lists them.
pub(super) fn field<'s>(
    schema: &'s Schema,
    name: &str,
    operation: &'static str,
) -> Result<&'s Field> {
    if let Some(field) = schema.field(name) {
        return Ok(field);
    }
    let error = Error::new(ErrorKind::InvalidArgument, operation)
        .detail(format!("no field {}", quoted(name)));
    let names = schema.fields().iter().map(Field::name);
    Err(match nearest(name, names) {
        Some(near) => error.advice(format!("did you mean {}?", quoted(near))),
        None => error.advice(format!("the fields are {}", list(schema))),
    })
}

/// The first dozen names, as a list in a sentence.
fn list(schema: &Schema) -> String {
    const SHOWN_MAX: usize = 12;
    let fields = schema.fields();
    let names: Vec<_> = fields.iter().take(SHOWN_MAX).map(|it| named(it.name())).collect();
    match fields.len() - names.len() {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// The name with the smallest edit distance from `wanted`, if it is near enough: a third of the
/// letters may differ, and case does not count.
fn nearest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let wanted: Vec<char> = wanted.to_lowercase().chars().collect();
    let distance_max = (wanted.len() / 3).max(1);
    let lengths = wanted.len().saturating_sub(distance_max)..=wanted.len() + distance_max;
    names
        // Names of a very different length cannot be near. There may be a million long names.
        .filter(|name| lengths.contains(&name.to_lowercase().chars().count()))
        .map(|name| (distance(&wanted, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= distance_max && *distance < name.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The number of letters to insert, delete, replace or swap to turn `from` into `to` (optimal
/// string alignment: Levenshtein's distance with a swap of neighbours as one step).
fn distance(from: &[char], to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let exchanged = above[j] + usize::from(a != b);
            let mut least = exchanged.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(from: &str, to: &str) -> usize {
        distance(&from.chars().collect::<Vec<_>>(), to)
    }

    #[test]
    fn distances_match_published_examples() {
        assert_eq!(spread("", ""), 0);
        assert_eq!(spread("", "abc"), 3);
        assert_eq!(spread("abc", ""), 3);
        assert_eq!(spread("kitten", "sitting"), 3);
        assert_eq!(spread("delay", "dealy"), 1);
        assert_eq!(spread("é", "e"), 1);
    }

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let names = ["dep_delay", "arr_delay", "x"];
        let suggest = |wanted| nearest(wanted, names.iter().copied());
        assert_eq!(suggest("dep_dely"), Some("dep_delay"));
        assert_eq!(suggest("ARR_DELAY"), Some("arr_delay"));
        assert_eq!(suggest("origin"), None);
        assert_eq!(suggest("y"), None, "a name of one letter has no near name");
    }
}
