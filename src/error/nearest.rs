//! "Did you mean": the name nearest to an unknown one.

/// The name with the smallest edit distance from `wanted`, if it is near enough: a third of the
/// letters may differ, and case does not count.
pub(crate) fn nearest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
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
