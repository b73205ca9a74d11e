//! What keeps the layers apart and the files small: who may import whom, no cycle of modules,
//! `lib.rs` as a table of contents, short files, short functions, `unsafe` in few files.
//!
//! Each check turns a description in memory into a list of problems, so that the tests at the end
//! can plant one and see it found.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, iter,
    path::Path,
    process::Command,
};

/// Who may import whom: a folder (`annals` is the root package), crates of the workspace, crates
/// from outside. `*` is any. Imports of tests are free.
const LAYERS: &[(&str, &str, &str)] = &[
    // What keeps promises may ask whether a bug is planted.
    ("planted", "", ""),
    // What waits and locks takes what it does so with from here, so that models can own it.
    ("sync", "", "atomic-wait crossbeam-channel loom parking_lot shuttle"),
    ("event", "", "serde smallvec thiserror"),
    (
        "wal",
        "planted sync",
        "crc32fast getrandom memmap2 metrics \
         parking_lot rustix tempfile thiserror tracing",
    ),
    ("index", "event planted sync", "crc32fast foldhash hashbrown"),
    ("engine", "event index planted sync wal", "smallvec thiserror tracing"),
    (
        "executor",
        "event derive planted sync",
        "bincode foldhash hashbrown metrics parking_lot postcard quick_cache rmp-serde serde \
         serde_json sha2 smallvec thiserror tracing",
    ),
    ("executor/derive", "", "proc-macro2 quote syn"),
    ("testkit", "engine event executor", "pollster thiserror"),
    ("sim", "wal", "parking_lot"),
    // The disk in user space, and the system calls around it.
    ("powercut", "annals sim wal", "clap fuser indicatif jiff parking_lot rustix thiserror"),
    (
        "mirror",
        "engine event",
        "bytes clap futures-util indicatif metrics parking_lot pollster rmp-serde rustls \
         rustls-native-certs serde_json sha2 thiserror tokio tokio-postgres tokio-postgres-rustls tracing",
    ),
    ("annals", "engine event executor", ""),
    ("tools", "*", "*"),
    ("benches", "*", "*"),
];
const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 60;
const ITEM_ENDS: &[&str] = &[";", "}"];
/// The compiler wants the functions of derives in the root of their crate.
const DERIVES: &str = "executor/derive/src/lib.rs";
/// One in the store. The others compare with what the store does not do.
const UNSAFE_FILES: &[&str] =
    &["benches/src/disk/mapped.rs", "benches/src/disk/uring.rs", "wal/src/map.rs"];

/// Path from the root of the workspace, with `/` -> text.
type Sources = BTreeMap<String, String>;

/// A member of the workspace, and what its library, binaries and build script import.
struct Package {
    folder: String,
    local: Vec<String>,
    foreign: Vec<String>,
}

fn wrong_imports(packages: &[Package]) -> Vec<String> {
    let mut problems = Vec::new();
    for Package { folder, local, foreign } in packages {
        let own = if folder.is_empty() { "annals" } else { folder };
        let Some((_, crates, outside)) = LAYERS.iter().find(|(layer, ..)| *layer == own) else {
            problems.push(format!("`{own}` is new: add it to LAYERS in tests/architecture.rs"));
            continue;
        };
        for (imports, allowed) in [(local, crates), (foreign, outside)] {
            let is_forbidden = |name: &&String| !allowed.split(' ').any(|a| a == *name || a == "*");
            let found = imports.iter().filter(is_forbidden);
            problems.extend(found.map(|name| format!("`{own}` must not import `{name}`")));
        }
    }
    problems
}

// Imports between modules. `crate::a::b` stands for src/a/b.rs, `crate` for lib.rs or main.rs.

type Modules<'a> = BTreeMap<String, Vec<Token<'a>>>;
type Edges<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// One cycle of each crate that has any. A module that takes a name from a parent which re-exports
/// it is in one, too: take names from where they are at home.
fn module_cycles(sources: &Sources) -> Vec<String> {
    let mut crates: BTreeMap<&str, Modules<'_>> = BTreeMap::new();
    for (path, text) in sources {
        let (folder, file) = path.split_at(path.find("src/").unwrap());
        if !file.starts_with("src/bin/") {
            crates.entry(folder).or_default().insert(module_name(file), code(text));
        }
    }
    let cycle = |(folder, modules)| {
        let cycle = cycle(edges(&modules))?.join(" -> ");
        Some(format!("{folder}src has a cycle of modules: {cycle}"))
    };
    crates.into_iter().filter_map(cycle).collect()
}

fn module_name(file: &str) -> String {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    let path = if matches!(path, "lib" | "main") { "" } else { path };
    iter::once("crate").chain(path.split_terminator('/')).collect::<Vec<_>>().join("::")
}

fn edges<'a>(modules: &'a Modules<'_>) -> Edges<'a> {
    let targets = |module: &str, tokens: &[Token<'_>]| -> BTreeSet<&'a str> {
        let paths = paths(tokens).into_iter().map(|path| absolute(module, &path, modules));
        paths.filter_map(|path| home(&path, modules)).filter(|home| *home != module).collect()
    };
    modules.iter().map(|(module, tokens)| (module.as_str(), targets(module, tokens))).collect()
}

/// Every path of two segments and more: `a::b` and `a::c::d` of `a::{b, c::{d}}`. A brace after
/// `::` groups paths, and no other brace stands in it.
fn paths(tokens: &[Token<'_>]) -> Vec<String> {
    let (mut groups, mut path, mut paths) = (vec![0], Vec::new(), Vec::new());
    let mut before = "";
    for (at, &Token { text, .. }) in tokens.iter().enumerate() {
        match text {
            "{" if before == "::" => groups.push(path.len()),
            "}" if groups.len() > 1 => groups.truncate(groups.len() - 1),
            _ if text == "as" || before == "as" || !text.starts_with(is_word) => {}
            segment => {
                path.truncate(if before == "::" { path.len() } else { groups[groups.len() - 1] });
                path.push(segment);
                let ends = tokens.get(at + 1).is_none_or(|next| next.text != "::");
                paths.extend((ends && path.len() > 1).then(|| path.join("::")));
            }
        }
        before = text;
    }
    paths
}

fn absolute(module: &str, path: &str, modules: &Modules<'_>) -> String {
    let start = path.split("::").next().unwrap();
    let is_child = modules.contains_key(&format!("{module}::{start}"));
    let base = if is_child || matches!(start, "self" | "super") { module } else { "" };
    path.split("::").fold(base.to_owned(), |base, segment| match segment {
        "self" => base,
        "super" => base.rsplit_once("::").map_or("crate", |(parent, _)| parent).to_owned(),
        _ if base.is_empty() => segment.to_owned(),
        _ => format!("{base}::{segment}"),
    })
}

/// The module that `path` leads to: the longest beginning that names one.
fn home<'a>(path: &str, modules: &'a Modules<'_>) -> Option<&'a str> {
    let mut beginnings = iter::successors(Some(path), |path| Some(path.rsplit_once("::")?.0));
    beginnings.find_map(|path| Some(modules.get_key_value(path)?.0.as_str()))
}

/// Peels off what leads nowhere; what is left leads on for ever.
fn cycle(mut edges: Edges<'_>) -> Option<Vec<&str>> {
    let ends = |edges: &Edges<'_>, to: &BTreeSet<&str>| !to.iter().any(|m| edges.contains_key(m));
    while let Some((&end, _)) = edges.iter().find(|(_, to)| ends(&edges, to)) {
        edges.remove(end);
    }
    let mut path = vec![*edges.keys().next()?];
    loop {
        let next = *edges[path.last()?].iter().find(|to| edges.contains_key(*to))?;
        let start = path.iter().position(|module| *module == next);
        path.push(next);
        if let Some(start) = start {
            return Some(path.split_off(start));
        }
    }
}

// Files.

fn code_in_lib_files(sources: &Sources) -> Vec<String> {
    let is_lib = |(path, _): &(&String, &String)| path.ends_with("src/lib.rs") && *path != DERIVES;
    let problem = |(path, text): (&String, &String)| {
        Some(format!("{path}:{}: only `mod` and `use` go here", first_code(&code(text))?))
    };
    sources.iter().filter(is_lib).filter_map(problem).collect()
}

/// The line of the first item that does not belong into a table of contents.
fn first_code(tokens: &[Token<'_>]) -> Option<usize> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let mut at = 0;
    while at < tokens.len() {
        at = match text(at) {
            "#" => end(tokens, at, &["]"]),
            "pub" if text(at + 1) == "(" => end(tokens, at, &[")"]),
            "use" => end(tokens, at, &[";"]),
            "mod" if text(at + 2) == ";" => at + 2,
            "pub" | ";" => at,
            _ => return Some(tokens[at].line),
        } + 1;
    }
    None
}

fn too_long(sources: &Sources) -> Vec<String> {
    let mut problems = Vec::new();
    for (path, text) in sources {
        let tokens = code(text);
        let lines = tokens.last().map_or(0, |token| token.line);
        if lines > FILE_LINES_MAX {
            problems.push(format!("{path} has {lines} lines before its tests: is it one idea?"));
        }
        for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.text == "fn") {
            let lines = tokens[end(&tokens, at, ITEM_ENDS)].line - token.line + 1;
            if lines > FUNCTION_LINES_MAX {
                problems.push(format!("{path}:{}: a function of {lines} lines", token.line));
            }
        }
    }
    problems
}

fn unsafe_elsewhere(sources: &Sources) -> Vec<String> {
    let has_unsafe = |text: &str| lex(text).iter().any(|token| token.text == "unsafe");
    let found: Vec<_> = sources.keys().filter(|path| has_unsafe(&sources[*path])).collect();
    let message = format!("`unsafe` belongs into {UNSAFE_FILES:?} alone; found in {found:?}");
    if found == UNSAFE_FILES { vec![] } else { vec![message] }
}

// Code: words without comments and literals.

/// A word, `::`, or one other character.
#[derive(Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    line: usize,
}

/// A file without its tests.
fn code(text: &str) -> Vec<Token<'_>> {
    let mut tokens = lex(text);
    while let Some(start) = tokens.windows(7).position(is_test) {
        let end = end(&tokens, start, ITEM_ENDS);
        tokens.drain(start..=end);
    }
    tokens
}

fn is_test(tokens: &[Token<'_>]) -> bool {
    let text: String = tokens.iter().map(|token| token.text).collect();
    text == "#[cfg(test)]" || text == "#[cfg(all(test"
}

/// The first of `ends` from `start` on that is in no bracket, or closes one.
fn end(tokens: &[Token<'_>], start: usize, ends: &[&str]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        depth += i32::from(matches!(token.text, "(" | "[" | "{"));
        depth -= i32::from(matches!(token.text, ")" | "]" | "}"));
        if depth <= 0 && ends.contains(&token.text) {
            return at;
        }
    }
    tokens.len() - 1
}

fn lex(text: &str) -> Vec<Token<'_>> {
    let (mut tokens, mut rest, mut line) = (Vec::new(), text, 1);
    while !rest.is_empty() {
        let skipped = skipped(rest);
        let len = if skipped > 0 { skipped } else { word(rest) };
        let (text, tail) = rest.split_at(len);
        if skipped == 0 {
            tokens.push(Token { text, line });
        }
        line += text.matches('\n').count();
        rest = tail;
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the word, the `::` or the character that `rest` begins with.
fn word(rest: &str) -> usize {
    match rest.find(|c| !is_word(c)).unwrap_or(rest.len()) {
        0 if rest.starts_with("::") => 2,
        0 => rest.chars().next().map_or(0, char::len_utf8),
        len => len,
    }
}

/// The length of the white space, the comment or the literal that `rest` begins with.
fn skipped(rest: &str) -> usize {
    let until = |end: &str, from: usize, text: &str| {
        text[from..].find(end).map_or(rest.len(), |at| from + at + end.len())
    };
    let no_escapes = || rest.replace(r"\\", "__").replace("\\\"", "__");
    let mut chars = rest.chars().chain("  ".chars());
    match [(); 3].map(|()| chars.next().unwrap()) {
        [space, ..] if space.is_whitespace() => space.len_utf8(),
        ['/', '/', _] => until("\n", 2, rest),
        ['/', '*', _] => until("*/", 2, rest),
        ['\'', '\\', _] => until("'", 3, rest),
        ['\'', c, '\''] => c.len_utf8() + 2,
        ['"', ..] => until("\"", 1, &no_escapes()),
        ['r', '"', _] => until("\"", 2, rest),
        ['r', '#', '"'] => until("\"#", 3, rest),
        _ => 0,
    }
}

// The workspace as it is.

fn packages() -> Vec<Package> {
    let arguments = ["metadata", "--no-deps", "--format-version=1", "--offline"];
    let mut cargo = Command::new(env!("CARGO"));
    let output = cargo.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let root = Path::new(metadata["workspace_root"].as_str().unwrap());
    metadata["packages"].as_array().unwrap().iter().map(|p| package(root, p)).collect()
}

fn package(root: &Path, package: &serde_json::Value) -> Package {
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    let folder = manifest.parent().unwrap().strip_prefix(root).unwrap();
    let imports = |local| {
        let all = package["dependencies"].as_array().unwrap().iter();
        let some = all.filter(|d| d["kind"] != "dev" && d["source"].is_null() == local);
        some.map(|d| d["name"].as_str().unwrap().replace("annals-", "")).collect()
    };
    let folder = folder.to_str().unwrap().replace('\\', "/");
    Package { folder, local: imports(true), foreign: imports(false) }
}

/// What lies in the `src` of each member, except files of tests alone: `tests.rs`.
fn sources() -> Sources {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> = packages().iter().map(|p| root.join(&p.folder).join("src")).collect();
    let mut sources = Sources::new();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(fs::read_dir(path).unwrap().map(|child| child.unwrap().path()));
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            sources.insert(name, fs::read_to_string(path).unwrap());
        }
    }
    sources
}

// As it should be.

#[test]
fn crates_import_only_what_the_table_allows() {
    accepted(&wrong_imports(&packages()));
}

#[test]
fn modules_have_no_cycle() {
    accepted(&module_cycles(&sources()));
}

#[test]
fn lib_files_are_tables_of_contents() {
    accepted(&code_in_lib_files(&sources()));
}

#[test]
fn files_and_functions_are_short() {
    accepted(&too_long(&sources()));
}

#[test]
fn unsafe_stands_in_few_files() {
    accepted(&unsafe_elsewhere(&sources()));
}

// Planted violations.

fn accepted(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

fn rejected(problems: &[String], expected: &str) {
    assert!(problems.iter().any(|p| p.contains(expected)), "{expected:?} not in {problems:?}");
}

fn files(files: &[(&str, &str)]) -> Sources {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn a_wrong_import_is_found() {
    let problems = |folder: &str, local: &str, foreign: &str| {
        let names = |names: &str| names.split_whitespace().map(str::to_owned).collect();
        let (folder, local, foreign) = (folder.to_owned(), names(local), names(foreign));
        wrong_imports(&[Package { folder, local, foreign }])
    };
    accepted(&problems("index", "event", "foldhash crc32fast"));
    accepted(&problems("tools", "wal annals", "clap"));
    accepted(&problems("", "engine", ""));
    rejected(&problems("event", "wal", ""), "`event` must not import `wal`");
    rejected(&problems("executor", "event engine", ""), "`executor` must not import `engine`");
    rejected(&problems("wal", "", "rustix tokio"), "`wal` must not import `tokio`");
    rejected(&problems("", "", "serde"), "`annals` must not import `serde`");
    rejected(&problems("executor/new", "", ""), "`executor/new` is new: add it to LAYERS");
}

#[test]
fn a_cycle_of_modules_is_found() {
    let cycles = |a, b, c| {
        let lib = ("wal/src/lib.rs", "mod a; mod b; pub use a::A; pub use b::B;");
        let [a, b, c] = [("wal/src/a.rs", a), ("wal/src/b.rs", b), ("wal/src/b/c.rs", c)];
        module_cycles(&files(&[lib, a, b, c]))
    };
    let use_b = "use std::{b, c}; use crate::{b::{self as x, B, c::D as E}, b};";
    accepted(&cycles(use_b, "use std::a::A; pub(crate) fn f(a: u8) { a }", "use super::B;"));
    accepted(&cycles(use_b, "// crate::a\n/* crate::a */ \"\\\"crate::a\" r#\"\"crate::a\"#", ""));
    accepted(&cycles(use_b, "#[cfg(test)] mod tests { use crate::a::A; }", ""));
    let a_b_a = "wal/src has a cycle of modules: crate::a -> crate::b -> crate::a";
    rejected(&cycles(use_b, "#[cfg(test)] use x::{Y}; use crate::{a::A};", ""), a_b_a);
    rejected(&cycles(use_b, "fn f<'a>() -> char { crate::a::f('\\''); '\"' }", ""), a_b_a);
    rejected(&cycles(use_b, "use super::{a::{A, B}};", ""), a_b_a);
    rejected(&cycles(use_b, "", "use super::super::a;"), "crate::a -> crate::b::c -> crate::a");
    rejected(&cycles("", "use c::C;", "use super::B;"), "crate::b -> crate::b::c -> crate::b");
    rejected(&cycles("use crate::B;", "", ""), "crate -> crate::a -> crate");
}

#[test]
fn code_in_a_lib_file_is_found() {
    let problems = |text| code_in_lib_files(&files(&[("wal/src/lib.rs", text)]));
    accepted(&problems("//! fn\n#![doc = \"fn\"] mod a; #[doc(hidden)] pub mod b;"));
    accepted(&problems("pub use a::{A, b::*}; pub(crate) use b::B; #[cfg(test)] fn f() {}"));
    accepted(&code_in_lib_files(&files(&[("wal/src/a.rs", "fn f() {}")])));
    rejected(&problems("mod a;\nfn f() {}"), "wal/src/lib.rs:2: only");
    rejected(&problems("mod a { pub struct A; }"), "wal/src/lib.rs:1: only");
    rejected(&problems("pub use a::A;\n\npub const A: u8 = 1;"), "wal/src/lib.rs:3: only");
}

#[test]
fn a_long_file_and_a_long_function_are_found() {
    let problems = |text: &str| too_long(&files(&[("wal/src/a.rs", text)]));
    let function = |lines: usize| format!("fn f(a: [A; 2]) {{\n{}}}\n", "'}';\n".repeat(lines - 2));
    let file = |lines| "mod a;\n".repeat(lines) + "#[cfg(test)] mod b {" + &function(500) + "}";
    accepted(&problems(&file(400)));
    accepted(&problems(&(function(60) + "trait T { fn f(); }" + &function(60))));
    rejected(&problems(&file(401)), "wal/src/a.rs has 401 lines");
    rejected(&problems(&(file(10) + "mod a;")), "wal/src/a.rs has 511 lines");
    rejected(&problems(&("\n".to_owned() + &function(61))), "wal/src/a.rs:2: a function of 61");
}

#[test]
fn unsafe_in_another_file_is_found() {
    let problems = |at, text| {
        let allowed = UNSAFE_FILES.iter().map(|file| (*file, "unsafe {}"));
        unsafe_elsewhere(&files(&allowed.chain([(at, text)]).collect::<Vec<_>>()))
    };
    accepted(&problems("wal/src/a.rs", "#![deny(unsafe_code)] // unsafe"));
    rejected(&problems("wal/src/a.rs", "unsafe { a }"), "wal/src/a.rs");
    rejected(&problems("wal/src/a.rs", "#[cfg(test)] unsafe fn f() {}"), "wal/src/a.rs");
    rejected(&unsafe_elsewhere(&files(&[("wal/src/a.rs", "")])), "found in []");
}
