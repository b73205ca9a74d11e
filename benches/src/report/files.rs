//! The files of a recorded report.

use crate::{
    error::BenchError,
    report::{
        html, markdown, pictures,
        results::{FILE, Results},
    },
};

/// Names and texts.
pub(crate) fn of(results: &Results) -> Result<Vec<(String, String)>, BenchError> {
    let pictures = pictures::all(results)?;
    let mut files = vec![
        (FILE.to_owned(), results.json()?),
        ("README.md".to_owned(), markdown::page(results, &pictures)),
        ("report.html".to_owned(), html::page(results, &pictures)),
    ];
    files.extend(pictures.into_iter().map(|picture| (picture.file, picture.svg)));
    Ok(files)
}
