//! The documentation as pages of a browser: every Markdown file of the project, with a list of all of them beside it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, html};

use crate::tree;

const STYLE: &str = "body{display:flex;margin:0;font:15px/1.6 system-ui,'Noto Sans KR',sans-serif;color:#1c2530}\
nav{flex:0 0 17rem;height:100vh;overflow:auto;position:sticky;top:0;padding:1rem;background:#f3f5f8;font-size:13px;box-sizing:border-box}\
nav a{display:block;color:#24507a;text-decoration:none;overflow-wrap:anywhere}nav b{display:block;margin-top:.8rem}\
main{flex:1;min-width:0;max-width:60rem;padding:1rem 2rem}table{border-collapse:collapse;display:block;overflow:auto}\
td,th{border:1px solid #ccd4dd;padding:.25rem .6rem;text-align:left;vertical-align:top}\
pre{background:#f3f5f8;padding:.8rem;overflow:auto}code{background:#f3f5f8}";

/// Writes the pages under `out`, and returns how many they are.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write(root: &Path, out: &Path) -> io::Result<usize> {
    let files = tree::files(root)?;
    let is_page = |file: &&PathBuf| file.extension().is_some_and(|e| e == "md") && !file.starts_with("fuzz");
    let mut pages: Vec<PathBuf> = files.iter().filter(is_page).cloned().collect();
    pages.sort();
    for page in &pages {
        let text = fs::read_to_string(root.join(page))?;
        let target = out.join(page.with_extension("html"));
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(target, document(page, &text, &pages))?;
    }
    fs::write(
        out.join("index.html"),
        "<!doctype html><meta http-equiv=\"refresh\" content=\"0; url=README.html\">\n",
    )?;
    Ok(pages.len())
}

fn document(page: &Path, text: &str, pages: &[PathBuf]) -> String {
    let up = "../".repeat(page.components().count().saturating_sub(1));
    let mut list = String::new();
    let mut folder = None;
    for other in pages {
        if folder != other.parent() {
            folder = other.parent();
            let name = folder.map(|f| f.display().to_string()).filter(|f| !f.is_empty());
            let _ = write!(list, "<b>{}</b>", name.unwrap_or_else(|| "nsc".to_owned()));
        }
        let name = other.file_stem().unwrap_or_default().to_string_lossy();
        let _ = write!(
            list,
            "<a href=\"{up}{}\">{name}</a>",
            other.with_extension("html").display()
        );
    }
    let mut body = String::new();
    html::push_html(
        &mut body,
        Parser::new_ext(text, Options::ENABLE_TABLES).map(with_local_links),
    );
    let title = text.lines().next().unwrap_or_default().trim_start_matches("# ");
    format!(
        "<!doctype html><html><head><meta charset=\"utf-8\"><title>{}</title><style>{STYLE}</style></head>\
         <body><nav>{list}</nav><main>{body}</main></body></html>\n",
        title.replace('&', "&amp;").replace('<', "&lt;")
    )
}

/// A link to a page of the project leads to the page that was made of it.
fn with_local_links(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) => {
            let is_local = !dest_url.contains("://");
            let dest_url = if is_local {
                CowStr::from(dest_url.replace(".md", ".html"))
            } else {
                dest_url
            };
            Event::Start(Tag::Link {
                link_type,
                dest_url,
                title,
                id,
            })
        }
        other => other,
    }
}
