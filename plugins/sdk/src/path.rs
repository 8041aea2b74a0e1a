//! A *path* names a place in a JSON document: a JSON Pointer such as
//! `/choices/0/text`, or dotted, `choices[0].text`, where `[-1]` is the last of a
//! list. The empty path is the whole document.

use serde_json::Value;

/// What is at the place; none when there is no such place.
pub fn find<'v>(document: &'v Value, path: &str) -> Option<&'v Value> {
    if path.is_empty() || path.starts_with('/') {
        return document.pointer(path);
    }
    let path = path.strip_prefix("$.").unwrap_or(path);
    let segments = path.split(['.', '[']).filter(|segment| !segment.is_empty());
    segments.map(|segment| segment.strip_suffix(']').unwrap_or(segment)).try_fold(
        document,
        |value, segment| match value {
            Value::Array(items) => match segment.strip_prefix('-') {
                Some(back) => items.get(items.len().checked_sub(back.parse().ok()?)?),
                None => items.get(segment.parse::<usize>().ok()?),
            },
            Value::Object(fields) => fields.get(segment),
            _ => None,
        },
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_name_the_same_places() {
        let document = json!({"a": [{"b": 1}, {"c.d": 2, "0": 3}], "": 4});
        for (path, found) in [
            ("/a/0/b", Some(json!(1))),
            ("a[0].b", Some(json!(1))),
            ("a.0.b", Some(json!(1))),
            ("$.a[1].0", Some(json!(3))),
            ("/a/1/c.d", Some(json!(2))),
            ("/", Some(json!(4))),
            ("", Some(document.clone())),
            ("a[2]", None),
            ("a.b", None),
            ("a[-2].b", Some(json!(1))),
            ("a[-3]", None),
            ("a[-0]", None),
            ("/a/0/b/x", None),
        ] {
            assert_eq!(find(&document, path), found.as_ref(), "{path}");
        }
    }
}
