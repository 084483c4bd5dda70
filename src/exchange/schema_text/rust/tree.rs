//! A schema as records within records: the flat list of fields, folded at its groups.

use crate::exchange::schema_text::{Piece, gap};
use crate::format::{Field, Group, Schema};
use crate::number::len_of;

/// The deepest nesting that is folded. A file can say more, and each level is a call within a call.
const DEPTH_MAX: u32 = 64;

/// The longest array of records: the limit of `#[record(nested)]`.
const RECORDS_MAX: u32 = 65_536;

/// A record, or a record within one: its parts from its first byte to its last.
pub(super) struct Record<'s> {
    pub(super) members: Vec<Member<'s>>,
}

/// A part of a record. Names are those within the record.
pub(super) enum Member<'s> {
    Piece { name: &'s str, piece: Piece<'s> },
    Nested { name: &'s str, len: Option<u32>, record: Record<'s> },
}

/// The records of `schema`. A group that no struct can be is left flat: it is deeper or longer than
/// the limits, its records differ, or their bytes lie within other fields.
pub(super) fn fold(schema: &Schema) -> Record<'_> {
    let fields = schema.fields();
    let part = Part { fields, prefix_len: 0, start: 0, end: schema.record_size() };
    part.fold(0, schema.groups(), 0)
}

/// The fields of one record. Each name has a prefix of `prefix_len` bytes that names the record.
struct Part<'s> {
    fields: &'s [Field],
    prefix_len: usize,
    /// Where the record begins and ends, in bytes of the outermost one.
    start: u32,
    end: u32,
}

/// Where a nested record, or the first of an array of them, lies in the outermost one.
struct Place {
    start: u32,
    record_len: u32,
    end: u32,
}

impl<'s> Part<'s> {
    /// `first` is the number of the part's first field; `groups` are those that lie in the part,
    /// and any that follow.
    fn fold(&self, first: u32, groups: &'s [Group], depth: u32) -> Record<'s> {
        let mut members = Vec::new();
        let (mut at, mut end, mut groups) = (0, self.start, groups);
        while let Some(field) = self.fields.get(at) {
            let group = groups.first().filter(|group| len_of(group.fields().start - first) == at);
            let nested = group.and_then(|group| {
                let place = self.place(at, group, end).filter(|_| depth < DEPTH_MAX)?;
                Some((group, self.name_of(group, field)?, place))
            });
            let start = nested.as_ref().map_or(field.offset(), |(_, _, place)| place.start);
            members.extend(self.gap(end, start));
            if let Some((group, name, place)) = nested {
                let record = self.inner(group, at, &place).fold(
                    group.fields().start,
                    &groups[1..],
                    depth + 1,
                );
                members.push(Member::Nested { name, len: group.array_len(), record });
                at += group.fields().len();
                end = place.end;
            } else if group.is_none() {
                let name = &field.name()[self.prefix_len..];
                members.push(Member::Piece { name, piece: Piece::Field(field) });
                at += 1;
                end = field.offset() + field.size_bytes();
            } else {
                groups = &groups[1..];
                continue;
            }
            let behind = groups
                .partition_point(|group| len_of(group.fields().start.saturating_sub(first)) < at);
            groups = &groups[behind..];
        }
        members.extend(self.gap(end, self.end));
        Record { members }
    }

    fn gap(&self, from: u32, to: u32) -> Option<Member<'s>> {
        let piece = gap(from - self.start, to - self.start)?;
        Some(Member::Piece { name: "", piece })
    }

    /// The name of `group`, whose first field is `field`, within this record.
    fn name_of(&self, group: &'s Group, field: &Field) -> Option<&'s str> {
        let name = group.name().strip_prefix(&field.name()[..self.prefix_len])?;
        (!name.is_empty()).then_some(name)
    }

    /// The first, or only, record of `group`, which begins with this part's field `at`.
    fn inner(&self, group: &Group, at: usize, place: &Place) -> Part<'s> {
        let index_len = if group.array_len().is_some() { "[0]".len() } else { 0 };
        Part {
            fields: &self.fields[at..at + fields_of_each(group)],
            prefix_len: group.name().len() + index_len + ".".len(),
            start: place.start,
            end: place.start + place.record_len,
        }
    }

    /// Where the records of `group` lie, if they are alike and nothing else lies between them. The
    /// file does not say how many bytes without a field a record has at its ends.
    fn place(&self, at: usize, group: &Group, previous_end: u32) -> Option<Place> {
        let each = fields_of_each(group);
        let all = &self.fields[at..at + group.fields().len()];
        let first = all[0].offset();
        let last_end = all[each - 1].offset() + all[each - 1].size_bytes();
        let len = group.array_len().unwrap_or(1);
        if len > RECORDS_MAX {
            return None;
        }
        let record_len = all.get(each).map_or(last_end, Field::offset) - first;
        if !alike(all, each, record_len, group.name().len()) {
            return None;
        }
        let limit = self.fields.get(at + all.len()).map_or(self.end, Field::offset);
        let total = record_len.checked_mul(len)?;
        let start = first.min(limit.checked_sub(total)?);
        let place = Place { start, record_len, end: start + total };
        (start >= previous_end && last_end <= start + record_len).then_some(place)
    }
}

fn fields_of_each(group: &Group) -> usize {
    group.fields().len() / len_of(group.array_len().unwrap_or(1))
}

/// Whether the records of `each` fields are the same, but for their places. Their names begin with
/// `name_len` bytes and an index.
fn alike(fields: &[Field], each: usize, record_len: u32, name_len: usize) -> bool {
    let (first, others) = fields.split_at(each);
    others.chunks(each).zip(1u32..).all(|(record, index)| {
        let prefix_len = name_len + format!("[{index}].").len();
        record.iter().zip(first).all(|(field, like)| {
            let moved = index.checked_mul(record_len).and_then(|by| like.offset().checked_add(by));
            moved == Some(field.offset())
                && field.name()[prefix_len..] == like.name()[name_len + "[0].".len()..]
                && field.same_values(like)
        })
    })
}
