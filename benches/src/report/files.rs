//! The files of a recorded report.

use std::{
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::{
    error::{BenchError, io_error},
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

/// Makes the pages and the pictures of a recorded report anew, from what it measured.
pub(crate) fn render(record: &Path) -> Result<Vec<PathBuf>, BenchError> {
    let results = Results::read(record)?;
    let directory = if record.is_dir() { Some(record) } else { record.parent() };
    let pages = of(&results)?.into_iter().filter(|(name, _)| name != FILE).collect();
    replace(directory.unwrap_or(record), pages)
}

/// Writes files, each as a whole or not at all, and returns where they are.
pub(crate) fn replace(
    directory: &Path,
    files: Vec<(String, String)>,
) -> Result<Vec<PathBuf>, BenchError> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let write = |(name, text): (String, String)| {
        let mut hidden = tempfile::NamedTempFile::new_in(directory)?;
        hidden.write_all(text.as_bytes())?;
        // A temporary file is for its owner alone; a page is for everyone.
        let readable = std::fs::Permissions::from_mode(0o644);
        hidden.as_file().set_permissions(readable)?;
        let path = directory.join(name);
        hidden.persist(&path)?;
        Ok(path)
    };
    let written: std::io::Result<_> = files.into_iter().map(write).collect();
    written.map_err(io_error("write pages and pictures"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::report::results::tests::results;

    #[test]
    fn a_record_is_rendered_anew_and_what_was_measured_stays() {
        let directory = tempfile::tempdir().unwrap();
        let json = results().json().unwrap();
        fs::write(directory.path().join(FILE), &json).unwrap();
        let files = render(directory.path()).unwrap();
        assert_eq!(files.len(), 2 + 2, "two pages, two pictures: {files:?}");
        assert_eq!(render(&directory.path().join(FILE)).unwrap(), files, "by the file's name");
        assert_eq!(fs::read_to_string(directory.path().join(FILE)).unwrap(), json);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 5, "nothing else");
        render(&directory.path().join("none")).unwrap_err();
    }
}
