//! What the server's processes took of the processor, where they can be seen.

use std::fs;

use tokio_postgres::NoTls;

/// Ticks in a second, as Linux counts in `/proc`.
const TICKS: f64 = 100.0;

/// A server on this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Server {
    postmaster: u64,
}

impl Server {
    /// `None`: it is elsewhere, or there is no `/proc`.
    pub(crate) async fn find(url: &str) -> Option<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.ok()?;
        tokio::spawn(connection);
        let own: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await.ok()?.get(0);
        let fields = stat(u64::try_from(own).ok()?)?;
        Some(Self { postmaster: *fields.get(PARENT)? })
    }

    /// Seconds of the processor so far: of its processes, those that ended included.
    pub(crate) fn seconds(self) -> f64 {
        let mut ticks = 0;
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(number) = process.file_name().to_str().and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let Some(fields) = stat(number) else { continue };
            if number == self.postmaster {
                ticks += fields.iter().skip(OWN).take(4).sum::<u64>();
            } else if fields.get(PARENT) == Some(&self.postmaster) {
                ticks += fields.iter().skip(OWN).take(2).sum::<u64>();
            }
        }
        ticks as f64 / TICKS
    }
}

/// Places behind the name, in `/proc/PID/stat`.
const PARENT: usize = 1;
/// User and system, then the same of children that ended.
const OWN: usize = 11;

/// The numbers behind the name; 0 for what is none.
fn stat(process: u64) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, behind) = text.rsplit_once(')')?;
    Some(behind.split_whitespace().map(|word| word.parse().unwrap_or_default()).collect())
}
