//! Kinds of things, as the folders of packages sort them.

/// The kinds that are asked for, and what they are called in "is this ...?".
pub(crate) const KINDS: &[(&str, &str)] = &[
    ("action", "an action"),
    ("animal", "an animal"),
    ("body part", "a body part"),
    ("building", "a building"),
    ("clothing", "clothing"),
    ("food", "food"),
    ("instrument", "an instrument"),
    ("job", "a job"),
    ("landscape", "a landscape"),
    ("monument", "a monument"),
    ("person", "a person"),
    ("plant", "a plant"),
    ("sign", "a sign"),
    ("sport", "a sport"),
    ("tool", "a tool"),
    ("toy", "a toy"),
    ("vehicle", "a vehicle"),
];

/// Further answers that count as right for a kind or finer kind.
pub(crate) const ALSO: &[(&str, &[&str])] = &[
    ("building", &["house"]),
    ("clothing", &["clothes"]),
    ("instrument", &["musical instrument"]),
    ("monument", &["building"]),
    ("person", &["people"]),
    ("sign", &["road sign"]),
];

/// A table of folders: path, kind, finer kind.
pub(crate) type Folders = [(&'static str, &'static str, Option<&'static str>)];

/// Returns the kind and finer kind of a file by the longest folder of the table that it is in.
pub(crate) fn in_folder(
    table: &Folders,
    file: &str,
) -> (Option<&'static str>, Option<&'static str>) {
    let within = |folder: &str| file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let best =
        table.iter().filter(|(folder, ..)| within(folder)).max_by_key(|(folder, ..)| folder.len());
    best.map_or((None, None), |&(_, kind, finer)| (Some(kind), finer))
}
