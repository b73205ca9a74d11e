//! The report as one page of HTML that needs nothing else: no script, no font, no other file.

use std::fmt::Write;

use crate::{
    render::{dots::escaped, table::Table},
    report::{
        markdown,
        pictures::Picture,
        prose,
        results::Results,
        tables::{self, Titled},
    },
};

/// The page.
pub(crate) fn page(results: &Results, pictures: &[Picture]) -> String {
    let mut page = format!("{HEAD}<body>\n<main>\n<h1>Annals: performance report</h1>\n");
    let _ = writeln!(page, "<p>{}</p>", escaped(prose::HOW.trim()));
    let _ = writeln!(page, "<pre>{}</pre>", escaped(&results.command));
    page += "<table class=\"facts\">\n";
    for (name, value) in markdown::lines(results) {
        let _ = writeln!(page, "<tr><th>{}</th><td>{}</td></tr>", escaped(&name), escaped(&value));
    }
    page += "</table>\n<h2>How to read it</h2>\n<dl>\n";
    for paragraph in prose::PARAGRAPHS {
        let _ =
            writeln!(page, "<dt>{}</dt><dd>{}</dd>", code(paragraph.term), code(paragraph.text));
    }
    page += "</dl>\n";
    for Titled { title, table: of } in tables::all(results) {
        let _ = writeln!(page, "<h2>{}</h2>\n{}", escaped(&title), table(&of));
    }
    let notes = tables::notes(results);
    if !notes.is_empty() {
        page += "<h2>Notes</h2>\n<ul>\n";
        for note in notes {
            let _ = writeln!(page, "<li>{}</li>", escaped(&note));
        }
        page += "</ul>\n";
    }
    page += "<h2>Pictures</h2>\n";
    for picture in pictures {
        let _ = writeln!(page, "<figure>\n{}", picture.svg.trim());
        let _ = writeln!(page, "<figcaption>{}</figcaption>\n</figure>", escaped(&picture.text));
    }
    page + "</main>\n</body>\n</html>\n"
}

/// Escaped, and what stands in backticks as code.
fn code(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(index, part)| {
        if index % 2 == 1 { format!("<code>{}</code>", escaped(part)) } else { escaped(part) }
    });
    parts.collect()
}

fn table(table: &Table) -> String {
    let cells = |tag: &str, cells: &[String]| -> String {
        let all = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell)));
        all.collect()
    };
    let mut html = format!(
        "<div class=\"wide\"><table>\n<thead><tr>{}</tr></thead>\n<tbody>\n",
        cells("th", table.headings())
    );
    for line in table.lines() {
        let _ = writeln!(html, "<tr>{}</tr>", cells("td", line));
    }
    html + "</tbody>\n</table></div>"
}

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Annals: performance report</title>
<style>
body { font: 16px/1.5 sans-serif; color: #222; background: #fff; margin: 0 }
main { max-width: 1080px; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.8rem } h2 { font-size: 1.25rem; margin-top: 2.2rem }
pre, code { background: #f3f3f3; padding: .1em .3em; font-size: .9em } pre { padding: .6em }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums }
th, td { padding: .3em .6em; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap }
th:first-child, td:first-child, th:last-child, td:last-child { text-align: left }
.facts th, .facts td { text-align: left; white-space: normal }
tbody tr:hover { background: #f6f9fc }
dt { font-weight: bold } dd { margin: 0 0 .5em 1.5em }
figure { margin: 1.5rem 0 } figure svg { max-width: 100%; height: auto; border: 1px solid #e5e5e5 }
figcaption { max-width: 900px; color: #444; font-size: .92rem }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #181a1c }
  pre, code { background: #2a2d30 } th, td { border-color: #3a3d40 }
  tbody tr:hover { background: #23272b } figcaption { color: #bbb } figure svg { border-color: #3a3d40 }
}
</style>
</head>
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{pictures, results::tests::results};

    #[test]
    fn the_page_needs_nothing_else_and_everything_is_escaped() {
        let results = results();
        let page = page(&results, &pictures::all(&results).unwrap());
        for outside in ["<script", "<link", "<img", "src=", "url(", "@import"] {
            assert!(!page.contains(outside), "{outside}");
        }
        let without_names = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!without_names.contains("http"), "it refers to another place");
        assert!(page.contains("no &lt;Postgres&gt; here") && page.matches("<svg").count() == 2);
        assert_eq!(page.matches("<table").count(), page.matches("</table>").count());
        assert_eq!(code("a `b<` c"), "a <code>b&lt;</code> c");
    }
}
