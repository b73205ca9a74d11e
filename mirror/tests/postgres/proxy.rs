//! A line to the server that can be cut at the worst moment: when the server has done what it was
//! asked for, and before its answer arrives.

use std::{
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use tempfile::TempDir;

/// Sockets are named by a port.
const SOCKET: &str = ".s.PGSQL.5432";

/// What passes between the tests and the server.
pub(crate) struct Proxy {
    directory: TempDir,
    cuts: Arc<AtomicU32>,
}

impl Proxy {
    pub(crate) fn before(server: PathBuf) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join(SOCKET)).unwrap();
        let cuts = Arc::new(AtomicU32::new(0));
        let seen = cuts.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = UnixStream::connect(server.join(SOCKET)) else { continue };
                let (to, from) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || pass(client, to, &AtomicU32::new(0)));
                let cuts = seen.clone();
                thread::spawn(move || pass(server, from, &cuts));
            }
        });
        Self { directory, cuts }
    }

    pub(crate) fn connection(&self) -> String {
        format!("host={} user=owner dbname=postgres", self.directory.path().display())
    }

    /// Keeps back the next answer, whoever it is for, and ends that connection.
    pub(crate) fn cut(&self) {
        self.cuts.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn has_cut(&self) -> bool {
        self.cuts.load(Ordering::SeqCst) == 0
    }
}

fn pass(mut from: UnixStream, mut to: UnixStream, cuts: &AtomicU32) {
    let mut buffer = [0; 1 << 14];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let less = |cuts: u32| cuts.checked_sub(1);
        let is_cut = cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
        if is_cut || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // Both directions, so that both sides hear of it.
    drop(from.shutdown(std::net::Shutdown::Both));
    drop(to.shutdown(std::net::Shutdown::Both));
}
