//! A run in a process of its own, so that its memory and processor time are its own.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use rustix::process::{Pid, Signal};

use crate::{
    error::{BenchError, io_error},
    interrupt::Interrupt,
    report::{
        asked::Asked,
        backend::{Backend, Program},
        error::ReportError,
        measured::Measured,
        meter::SERVER_VARIABLE,
        server::Server,
    },
    scratch::Scratch,
};

/// What runs need.
#[derive(Debug)]
pub(crate) struct Children<'a> {
    pub(crate) own: PathBuf,
    pub(crate) peers: Option<PathBuf>,
    pub(crate) server: Option<&'a Server>,
    pub(crate) scratch: &'a Scratch,
    pub(crate) interrupt: &'a Interrupt,
}

impl Children<'_> {
    /// Runs a workload on a backend.
    ///
    /// # Errors
    /// [`ReportError::Child`]: it ended without a row; and all of [`Measured::check`].
    pub(crate) fn run(
        &self,
        backend: &Backend,
        asked: &Asked,
        rate: Option<f64>,
    ) -> Result<Measured, BenchError> {
        let directory = self.scratch.path("run");
        let syncs_before = self.syncs(backend);
        let result = self.output(self.command(backend, asked, rate, &directory), backend, asked);
        if directory.exists() {
            crate::scratch::remove(&directory)?;
        }
        let mut measured = row(&result?, backend, asked)?;
        let syncs = self.syncs(backend).zip(syncs_before);
        if let Some((after, before)) = syncs {
            measured.syncs = Some(after.saturating_sub(before));
        }
        Ok(measured)
    }

    fn syncs(&self, backend: &Backend) -> Option<u64> {
        self.server.filter(|_| backend.needs_server)?.syncs()
    }

    fn command(
        &self,
        backend: &Backend,
        asked: &Asked,
        rate: Option<f64>,
        directory: &Path,
    ) -> Command {
        let program = match backend.program {
            Program::Own => &self.own,
            Program::Peers => self.peers.as_ref().unwrap_or(&self.own),
        };
        let mut command = Command::new(program);
        command.args(["commands", "--backend", backend.name]).args(asked.arguments());
        command.arg("--dir").arg(directory);
        if let Some(rate) = rate {
            command.arg("--rate").arg(rate.to_string());
        }
        if let Some(server) = self.server.filter(|_| backend.needs_server) {
            command.args(["--postgres", &server.connection()]);
            command.env(SERVER_VARIABLE, server.process.as_raw_nonzero().to_string());
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What it prints.
    fn output(
        &self,
        mut command: Command,
        backend: &Backend,
        asked: &Asked,
    ) -> Result<String, BenchError> {
        let failed = |said: String| ReportError::Child {
            workload: asked.name(),
            backend: backend.name.to_owned(),
            said,
        };
        let spawned = command.spawn();
        let mut child = spawned.map_err(|error| failed(format!("it does not start: {error}")))?;
        let process = Pid::from_child(&child);
        self.interrupt.stop(process, Signal::KILL);
        let read = read(&mut child);
        self.interrupt.ended(process);
        let (printed, said, is_good) = read.map_err(io_error("read what a run prints"))?;
        if is_good { Ok(printed) } else { Err(failed(last_words(&said)).into()) }
    }
}

fn read(child: &mut Child) -> std::io::Result<(String, String, bool)> {
    let (mut printed, mut said) = (String::new(), Vec::new());
    let stderr = child.stderr.take();
    thread::scope(|scope| {
        scope.spawn(|| stderr.map(|mut stderr| stderr.read_to_end(&mut said)));
        child.stdout.take().map_or(Ok(0), |mut stdout| stdout.read_to_string(&mut printed))
    })?;
    let status = child.wait()?;
    Ok((printed, String::from_utf8_lossy(&said).into_owned(), status.success()))
}

/// The end of what a program said: why it failed.
fn last_words(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let from = lines.len().saturating_sub(3);
    let words = lines.get(from..).unwrap_or_default().join("; ");
    if words.is_empty() { "it said nothing".to_owned() } else { words }
}

/// The row in what a run printed: of that backend and workload, and possible.
fn row(printed: &str, backend: &Backend, asked: &Asked) -> Result<Measured, BenchError> {
    let (workload, name) = (asked.name(), backend.name.to_owned());
    let row = serde_json::from_str::<Measured>(printed.trim());
    let row = row.map_err(|error| ReportError::Child {
        workload: workload.clone(),
        backend: name.clone(),
        said: format!("it printed no row: {error}"),
    })?;
    let expected = (&workload, &name, asked.callers(), asked.commands());
    if (&row.workload, &row.backend, row.callers, row.counts.asked) != expected {
        let what = format!(
            "the row is of {} on {}, {} commands of {} callers",
            row.workload, row.backend, row.counts.asked, row.callers
        );
        return Err(ReportError::Impossible { workload, backend: name, what }.into());
    }
    row.check()?;
    // What must be is known here as well: who ran it is not to judge alone.
    let must = asked.plan().end_state().digest();
    if row.counts.conflicts + row.counts.failed == 0 && row.expected_digest != must {
        let what = format!("it expects the state {}, and {must} must be", row.expected_digest);
        return Err(ReportError::Impossible { workload, backend: name, what }.into());
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{asked::Kind, backend, measured::tests as rows};

    fn judged(change: impl FnOnce(&mut Measured)) -> Result<Measured, BenchError> {
        let asked = Asked::of(Kind::Financial).with_callers(2).with_commands(10);
        let mut planted = rows::row();
        planted.expected_digest = asked.plan().end_state().digest();
        planted.digest.clone_from(&planted.expected_digest);
        change(&mut planted);
        row(&serde_json::to_string(&planted).unwrap(), &backend::ALL[0], &asked)
    }

    #[test]
    fn a_row_is_taken_if_it_can_be() {
        judged(|_| ()).unwrap();
    }

    /// What a broken harness would print.
    #[test]
    fn planted_rows_are_refused() {
        let refused = |change: fn(&mut Measured)| judged(change).unwrap_err().to_string();
        assert!(refused(|row| row.counts.accepted += 1).contains("is not the 10"));
        assert!(refused(|row| row.digest.push('0')).contains("lost, doubled or misplaced"));
        // Both wrong in the same way.
        let same = refused(|row| {
            row.digest = "ab".to_owned();
            row.expected_digest = "ab".to_owned();
        });
        assert!(same.contains("must be"), "{same}");
        assert!(refused(|row| row.counts.asked = 9).contains("9 commands of 2 callers"));
        assert!(refused(|row| row.backend = "annals-disk".to_owned()).contains("annals-disk"));
    }

    #[test]
    fn programs_that_print_no_row_are_refused_with_their_last_words() {
        let asked = Asked::of(Kind::Orders);
        let error = row("1", &backend::ALL[0], &asked).unwrap_err().to_string();
        assert!(error.contains("orders on annals-memory") && error.contains("no row"), "{error}");
        assert_eq!(last_words("a\nb\n\nc\nd\n"), "b; c; d");
        assert_eq!(last_words("\n"), "it said nothing");
    }
}
