//! `docs/guarantees.md` and the tests speak of the same guarantees: the numbers are 1, 2, 3, ...,
//! tests cite each of them and no other, and what the document names as a test is one, which cites
//! the guarantee that it proves.
//!
//! In the document a guarantee is a heading or list item that begins with its number in bold. The
//! paragraph that says "proved by" names tests in backticks, alone or with a path before `::`, and
//! so does the last cell of a row of a table. A test cites a guarantee in a comment, by its number;
//! what it proves, in its own documentation.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

use std::{collections::BTreeMap, fs, path::Path};

const DOCUMENT: &str = "docs/guarantees.md";
/// It speaks of guarantees that do not exist.
const THIS_FILE: &str = "tests/guarantees.rs";

/// Path from the root of the workspace, with `/` -> what is test code there.
type Tests = BTreeMap<String, String>;

struct Guarantee {
    number: u16,
    proofs: Vec<String>,
}

fn problems(document: &str, tests: &Tests) -> Vec<String> {
    let guarantees = guarantees(document);
    let known = tests.iter().flat_map(|(path, code)| cases(path, code)).collect::<Vec<_>>();
    let checks = [
        wrong_numbers(&guarantees),
        wrong_citations(&guarantees, tests),
        wrong_rows(document, &known),
    ];
    let mut problems = checks.concat();
    problems.extend(guarantees.iter().flat_map(|guarantee| wrong_proofs(guarantee, &known)));
    problems
}

fn wrong_numbers(guarantees: &[Guarantee]) -> Vec<String> {
    let last = guarantees.iter().map(|guarantee| guarantee.number).max().unwrap_or(1);
    let problem = |number| match guarantees.iter().filter(|g| g.number == number).count() {
        0 => Some(format!("{DOCUMENT} does not define G{number}: numbers are 1, 2, 3, ...")),
        1 => None,
        _ => Some(format!("{DOCUMENT} defines G{number} more than once")),
    };
    (1..=last).filter_map(problem).collect()
}

fn wrong_citations(guarantees: &[Guarantee], tests: &Tests) -> Vec<String> {
    let mut problems = Vec::new();
    let mut uncited: Vec<u16> = guarantees.iter().map(|guarantee| guarantee.number).collect();
    for (path, code) in tests {
        for number in code.lines().flat_map(|line| numbers(comment(line))) {
            uncited.retain(|other| *other != number);
            if !guarantees.iter().any(|guarantee| guarantee.number == number) {
                problems.push(format!("{path} cites G{number}: {DOCUMENT} does not define it"));
            }
        }
    }
    problems.extend(uncited.iter().map(|number| format!("no test cites G{number}")));
    problems
}

fn wrong_proofs(guarantee: &Guarantee, known: &[Case]) -> Vec<String> {
    let Guarantee { number, proofs } = guarantee;
    if proofs.is_empty() {
        return vec![format!("G{number} does not say which test it is \"proved by\"")];
    }
    let problem = |proof: &String| {
        let mut named = known.iter().filter(|case| case.is_named(proof)).peekable();
        let what = format!("G{number} is proved by `{proof}`");
        if named.peek().is_none() {
            return Some(format!("{what}: there is no such test"));
        }
        (!named.any(|case| case.cites.contains(number)))
            .then(|| format!("{what}, whose documentation does not cite it"))
    };
    proofs.iter().filter_map(problem).collect()
}

/// Tests that tables name and nobody has.
fn wrong_rows(document: &str, known: &[Case]) -> Vec<String> {
    let rows = document.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    let cells = rows.filter_map(|row| row.rsplit('|').next());
    let named = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let missing = named.filter(|name| !known.iter().any(|case| case.is_named(name)));
    missing.map(|name| format!("a table names `{name}`: there is no such test")).collect()
}

// The document.

fn guarantees(document: &str) -> Vec<Guarantee> {
    let mut sections: Vec<(Option<u16>, String)> = Vec::new();
    for line in document.lines() {
        let number = defined(line);
        if number.is_some() || line.starts_with('#') {
            sections.push((number, String::new()));
        }
        if let Some((_, text)) = sections.last_mut() {
            text.extend([line, "\n"]);
        }
    }
    let guarantee = |(number, text): (Option<u16>, String)| {
        Some(Guarantee { number: number?, proofs: proofs(&text) })
    };
    sections.into_iter().filter_map(guarantee).collect()
}

/// 1 of `## **G1** ...`, `- **G1.** ...` and `1. **G1** ...`.
fn defined(line: &str) -> Option<u16> {
    let marks = |c: char| c.is_ascii_digit() || "#-. ".contains(c);
    let text = line.trim_start_matches(marks);
    let bold = text.strip_prefix("* ").unwrap_or(text).trim_start().strip_prefix("**")?;
    numbers(bold.split(|c| !is_word(c)).next()?).next()
}

/// What stands in backticks after "proved by", up to the end of the paragraph.
fn proofs(section: &str) -> Vec<String> {
    let start = section.to_ascii_lowercase().find("proved by").unwrap_or(section.len());
    let paragraph = section[start..].split("\n\n").next().unwrap_or_default();
    paragraph.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

// Tests.

/// A function that is run as a test, always.
struct Case {
    path: String,
    name: String,
    /// What its documentation cites.
    cites: Vec<u16>,
}

impl Case {
    /// Whether it is what `name`, or `path::to::name`, stands for. A path that begins with a file
    /// is taken at its word; what `lib.rs` has may stand beside it.
    fn is_named(&self, proof: &str) -> bool {
        let is_here = match proof.split_once(".rs::") {
            None => true,
            Some((file, _)) => match file.strip_suffix("lib") {
                Some(directory) => self.path.starts_with(directory),
                None => self.path.strip_suffix(".rs") == Some(file),
            },
        };
        is_here && proof.rsplit("::").next() == Some(&self.name)
    }
}

/// The tests in a file, each with what stands right above it.
fn cases(path: &str, code: &str) -> Vec<Case> {
    let (mut cases, mut above) = (Vec::new(), String::new());
    for line in code.lines().map(str::trim) {
        if ["///", "#[", "//"].iter().any(|start| line.starts_with(start)) {
            above.extend([line, "\n"]);
            continue;
        }
        let name = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next());
        let has = |attribute: &str| above.lines().any(|line| line.starts_with(attribute));
        if let Some(name) = name.filter(|_| has("#[test]") && !has("#[ignore")) {
            let documentation = above.lines().filter_map(|line| line.strip_prefix("///"));
            let cites = documentation.flat_map(numbers).collect();
            cases.push(Case { path: path.to_owned(), name: name.to_owned(), cites });
        }
        above.clear();
    }
    cases
}

/// The part of a file that is test code.
fn test_code<'a>(path: &str, text: &'a str) -> &'a str {
    let whole = path.starts_with("tests/")
        || ["/tests/", "/models.rs"].iter().any(|part| path.contains(part))
        || path.ends_with("/tests.rs");
    let marks = ["#[cfg(test)]", "#[cfg(all(test,"].map(|mark| text.find(mark));
    let start = if whole { Some(0) } else { marks.into_iter().flatten().min() };
    start.map_or("", |start| &text[start..])
}

fn comment(line: &str) -> &str {
    let in_string = |at: &usize| line[..*at].matches('"').count() % 2 == 1;
    let start = line.match_indices("//").map(|(at, _)| at).find(|at| !in_string(at));
    start.map_or("", |at| &line[at..])
}

/// 1 and 2 of `(G1, G2)`.
fn numbers(text: &str) -> impl Iterator<Item = u16> {
    text.split(|c| !is_word(c)).filter_map(|word| word.strip_prefix('G')?.parse().ok())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

// As it should be.

#[test]
fn document_and_tests_agree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join(DOCUMENT)).unwrap_or_default();
    accepted(&problems(&document, &tests(root)));
}

fn tests(root: &Path) -> Tests {
    let (mut paths, mut tests) = (vec![root.to_owned()], Tests::new());
    while let Some(path) = paths.pop() {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        if path.is_dir() && !name.starts_with('.') && !path.ends_with("target") {
            paths.extend(fs::read_dir(path).unwrap().map(|child| child.unwrap().path()));
        } else if path.extension().is_some_and(|e| e == "rs") && name != THIS_FILE {
            let code = test_code(&name, &fs::read_to_string(path).unwrap()).to_owned();
            tests.insert(name, code);
        }
    }
    tests
}

// Planted violations.

const GOOD: &str = "# Guarantees\n`x`\n- **G1** Durable, see `Options`. Proved by `wal::survives`.\n\n\
                    More `words`.\n## **G2** Atomic\nAll or\nnothing, proved by `whole` and\n`half`.\n";
const TESTS: &str = "/// G1: it is there.\n#[test]\nfn survives() {}\n    /// (G2)\n    #[test]\n    fn \
                     whole() {} \n/// G2\n/// as well\n#[test]\n#[cfg(unix)]\nfn half() {}";
/// Rows of a table.
const ROWS: &str = "\n| bug | caught by |\n|---|---|\n| `x` | `tests/a.rs::half`, `whole` |\n";

fn accepted(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

fn rejected(problems: &[String], expected: &str) {
    let [problem] = problems else { panic!("{expected:?}: {problems:?}") };
    assert!(problem.contains(expected), "{expected:?}: {problem}");
}

/// The problems of the two texts in which `from` is replaced by `to`.
fn changed(from: &str, to: &str) -> Vec<String> {
    assert!(GOOD.contains(from) || TESTS.contains(from), "{from:?} changes nothing");
    let tests = [("tests/a.rs".to_owned(), TESTS.replace(from, to))];
    problems(&(GOOD.replace(from, to) + ROWS), &Tests::from(tests))
}

#[test]
fn what_agrees_is_accepted() {
    accepted(&changed("", ""));
    accepted(&changed("- **G1** Durable", "1. **G1.** Durable"));
    accepted(&changed("- **G1** Durable", "* **G1: Durable**"));
    accepted(&changed("half() {}", "half() { \"// G7\"; } // G, GX1, AG8, G8a, g8, G_8"));
}

#[test]
fn a_wrong_number_is_found() {
    rejected(&problems("", &Tests::new()), "does not define G1");
    rejected(&changed("G2", "G1"), "defines G1 more than once");
    rejected(&changed("G2", "G3"), "does not define G2: numbers are");
    rejected(&changed("G1", "G3"), "does not define G1: numbers are");
}

#[test]
fn a_wrong_citation_is_found() {
    for other in ["", "G2a, AG2", "\"G_2\""] {
        let tests = [("tests/a.rs".to_owned(), TESTS.replace("G2", other))];
        let problems = problems(&(GOOD.to_owned() + ROWS), &Tests::from(tests));
        assert_eq!(problems.len(), 3, "{problems:?}");
        rejected(&problems[..1], "no test cites G2");
        rejected(&problems[1..2], "G2 is proved by `whole`, whose documentation does not cite it");
    }
    rejected(&changed("(G2)", "(G2, G7)"), "tests/a.rs cites G7");
    rejected(&changed("half() {}", "half() {} // \"G9\""), "tests/a.rs cites G9");
}

#[test]
fn a_wrong_proof_is_found() {
    let half = "G2 is proved by `half`: there is no such test";
    for (from, to) in
        [("fn half", "fn other_half"), ("#[test]\n#[cfg", "#[cfg"), ("cfg(unix)", "ignore")]
    {
        let problems = changed(from, to);
        assert_eq!(problems.len(), 2, "{problems:?}");
        rejected(&problems[..1], "a table names `tests/a.rs::half`: there is no such test");
        rejected(&problems[1..], half);
    }
    rejected(&changed("fn survives", "fn survives_not"), "proved by `wal::survives`: there is");
    rejected(&changed("Proved by `wal::survives`", "Believe"), "G1 does not say which test");
    rejected(&changed("(G2)", "(G1)"), "proved by `whole`, whose documentation does not cite it");
    rejected(&changed("/// G2\n", "// G2\n"), "G2 is proved by `half`, whose documentation");
}

#[test]
fn a_wrong_row_is_found() {
    let named = |name: &str| {
        let tests = ["tests/a.rs", "wal/src/deep/a.rs"];
        let tests = tests.map(|path| (path.to_owned(), TESTS.to_owned()));
        problems(&format!("{GOOD}\n| `y` | `{name}` |"), &Tests::from(tests))
    };
    for name in ["half", "tests/a.rs::half", "wal/src/lib.rs::deep::a::half"] {
        accepted(&named(name));
    }
    for name in ["hal", "tests/b.rs::half", "tests/a.rs::hal", "index/src/lib.rs::a::half"] {
        rejected(&named(name), &format!("a table names `{name}`"));
    }
}

#[test]
fn only_test_code_cites() {
    assert_eq!(test_code("wal/tests/a.rs", "a"), "a");
    assert_eq!(test_code("wal/src/tests.rs", "a"), "a");
    assert_eq!(test_code("wal/src/a.rs", "// G1\n#[cfg(test)] mod b {}"), "#[cfg(test)] mod b {}");
    assert_eq!(test_code("wal/src/a.rs", "x\n#[cfg(all(test, a))]"), "#[cfg(all(test, a))]");
    assert_eq!(test_code("wal/src/a.rs", "// G1"), "");
}
