//! The pages of errors, which are part of the program, in both languages.

use include_dir::{Dir, include_dir};
use nsc_core::ErrorCode;

use crate::language::Language;

/// Every page, `NSCnnnn.md`. That each code has one is held by a test.
static PAGES: Dir = include_dir!("$CARGO_MANIFEST_DIR/../../docs/errors");

/// What the operator reads about an error, in Markdown: what happened and why, what to do, an example.
pub(crate) fn page(code: ErrorCode, language: Language) -> &'static str {
    let folder = language.pick("", "ko/");
    let file = PAGES.get_file(format!("{folder}{code}.md"));
    file.and_then(include_dir::File::contents_utf8)
        .unwrap_or_default()
}

/// The title of an error: in Korean that of its page.
pub(crate) fn title(code: ErrorCode, language: Language) -> &'static str {
    let heading = page(code, language).lines().next().unwrap_or_default();
    match (language, heading.split_once(": ")) {
        (Language::Korean, Some((_, title))) => title,
        _ => code.title(),
    }
}

#[cfg(test)]
mod tests {
    use nsc_core::ErrorCode;

    use super::{page, title};
    use crate::language::Language;

    /// Same code, same exit code, same examples; another title.
    #[test]
    fn every_page_is_there_in_korean_too() {
        for code in ErrorCode::ALL {
            let (english, korean) = (page(*code, Language::English), page(*code, Language::Korean));
            assert!(
                korean.starts_with(&format!("# {code}: ")),
                "{code} has no Korean page"
            );
            assert!(
                title(*code, Language::Korean)
                    .chars()
                    .any(|c| ('가'..='힣').contains(&c)),
                "{code}"
            );
            let blocks = |page: &'static str| page.split("```").skip(1).step_by(2).collect::<Vec<_>>();
            assert_eq!(blocks(english), blocks(korean), "{code}");
            let exit = format!("종료 코드 {}", code.exit_status().number());
            assert!(korean.contains(&exit), "{code}: {exit}");
        }
    }
}
