//! Circles of modules: no crate has one, and one is found.

use xtask::circles::{check, circle, known};
use xtask::tree;

fn found(modules: &[(&str, &str)]) -> Option<Vec<String>> {
    let texts: Vec<_> = modules
        .iter()
        .map(|(name, text)| (Some((*name).to_owned()), (*text).to_owned()))
        .collect();
    circle(&known(&texts))
}

#[test]
fn no_crate_has_a_circle() -> std::io::Result<()> {
    let found = check(&tree::root())?;
    assert!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

#[test]
fn a_circle_is_found_and_named() {
    let circle = [
        ("a", "use crate::b::B;\n"),
        ("b", "fn f(c: crate::c::C) {}\n"),
        ("c", "pub(crate) use crate::b::B;\nuse crate::d::D;\n"),
        ("d", ""),
    ];
    let named = found(&circle).unwrap_or_default();
    assert_eq!(named, ["b", "c", "b"]);
}

#[test]
fn comments_tests_and_what_is_no_module_make_no_circle() {
    let straight = [
        ("a", "use crate::b::B;\nuse crate::Thing;\n"),
        (
            "b",
            "/// See [`crate::a::A`].\nfn f() {}\n\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n",
        ),
    ];
    assert_eq!(found(&straight), None);
}
