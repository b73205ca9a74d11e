//! Records what a disk is told while a workload runs on the filesystem that it holds.

use std::{
    ffi::OsString,
    fmt,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use annals::ReadMode;
use fuser::{BackgroundSession, Config, MountOption};
use rustix::process::Signal;

use crate::{
    block_fault::BlockFault,
    device::{Drive, NOTES},
    error::PowercutError,
    filesystem::Filesystem,
    image::Image,
    loop_device::LoopDevice,
    mount::store_in,
    note::Note,
    plant::Plant,
    programs,
    recording::Recording,
    script::Script,
    testimony,
    violation::Violation,
    workload::Workload,
};

/// What is to be recorded.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) filesystem: Filesystem,
    pub(crate) workload: Workload,
    pub(crate) seed: u64,
    pub(crate) subsets: u64,
    pub(crate) cuts: u64,
    /// The disk that it begins with.
    pub(crate) base: Image,
    /// What is known of the store on it.
    pub(crate) before: Vec<Note>,
    pub(crate) plant: Option<Plant>,
    pub(crate) script: Script,
    pub(crate) fault: Option<BlockFault>,
    /// A program, with its arguments, that the workload is started by.
    pub(crate) through: Vec<String>,
}

/// A recorder: a drive in user space, mounted.
pub(crate) struct Recorder {
    drive: Drive,
    /// `None` once it is unmounted.
    session: Option<BackgroundSession>,
    files: PathBuf,
    /// Where each of the processes that perform a workload mounts it: the system mounts nothing
    /// twice in one place.
    mounts: Vec<PathBuf>,
}

/// How many processes may perform a workload, one after the other: in the last the disk works
/// again, and `SIGBUS` may end none but those before.
const LIVES_MAX: usize = 3;

/// How long a workload may take, before that counts as never ending.
const PATIENCE: Duration = Duration::from_mins(10);
const GLANCE: Duration = Duration::from_millis(2);

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Recorder {
    /// Makes one, in a directory of its own.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn new(scratch: &Path) -> Result<Self, PowercutError> {
        let io = PowercutError::io("set up the recorder");
        let files = scratch.join("drive");
        let mount = |life| scratch.join(format!("recorded-{life}"));
        let mounts: Vec<PathBuf> = (0..LIVES_MAX).map(mount).collect();
        for directory in mounts.iter().chain([&files]) {
            std::fs::create_dir_all(directory).map_err(&io)?;
        }
        let drive = Drive::default();
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("annals-powercut".to_owned())];
        let session = fuser::spawn_mount(drive.clone(), &files, &config).map_err(&io)?;
        Ok(Self { drive, session: Some(session), files, mounts })
    }

    /// Where the store is that the first process works on.
    pub(crate) fn store(&self) -> PathBuf {
        self.mounts.first().map_or_else(PathBuf::new, |at| store_in(at))
    }

    /// Performs a workload and records it.
    ///
    /// # Errors
    /// The store breaks its word while everything works, or the system refuses.
    /// [`PowercutError::Damaged`]: the filesystem does not outlive the state of the disk that it
    /// begins with.
    pub(crate) fn record(&self, scene: &Scene) -> Result<Recording, PowercutError> {
        let file = self.files.join(self.drive.insert(scene.base.clone(), scene.fault));
        let device = match scene.script {
            Script::Unreadable => LoopDevice::attach_forgetful(&file)?,
            _ => LoopDevice::attach(&file)?,
        };
        let performed = self.perform(scene, device.path())?;
        drop(device);
        let recording = Recording {
            filesystem: scene.filesystem,
            workload: scene.workload.name.to_owned(),
            seed: scene.seed,
            subsets: scene.subsets,
            cuts: scene.cuts,
            segment_bytes: scene.workload.segment_bytes,
            base: scene.base.clone(),
            before: scene.before.clone(),
            happenings: self.drive.eject(),
        };
        let may_fail = scene.script.is_failing();
        performed.and_then(|()| testimony::hold(&recording, may_fail)).map_err(|violation| {
            let Scene { filesystem, workload, seed, .. } = scene;
            let name = filesystem.name();
            let said = format!("{violation} (workload {} on {name}, seed {seed})", workload.name);
            if violation.is_of_the_filesystem() {
                return PowercutError::Damaged(said);
            }
            PowercutError::Broken { count: 1, first: said }
        })?;
        Ok(recording)
    }

    /// Has processes perform it, one after the other: when one ends as it may, the next goes on
    /// while the disk is still mounted, with what the system remembers.
    fn perform(
        &self,
        scene: &Scene,
        device: &Path,
    ) -> Result<Result<(), Violation>, PowercutError> {
        let mut scene = scene.clone();
        let ended = |how: &str| Err(Violation::NotPerformed(format!("SIGBUS ended it{how}")));
        let mut outcome = None;
        for (life, mount) in self.mounts.iter().enumerate() {
            match wait(&mut self.command(&scene, device, mount)?) {
                Ok(Ending::Well) if scene.script == Script::Sick => {}
                Ok(Ending::Well) => outcome = Some(Ok(())),
                Ok(Ending::BusError) if scene.may_end_by_bus_error() => {
                    self.drive.note(Note::BusError);
                    if life + 2 == self.mounts.len() || scene.script == Script::Unreadable {
                        self.drive.note(Note::Healed);
                    }
                }
                Ok(Ending::BusError) => outcome = Some(ended("")),
                Err(violation) => outcome = Some(Err(violation)),
            }
            if outcome.is_some() {
                break;
            }
            scene = Scene { script: scene.script.next(), through: Vec::new(), ..scene };
        }
        // Those that ended early left it mounted.
        self.mounts.iter().for_each(|mount| drop(programs::unmount(mount)));
        Ok(outcome.unwrap_or_else(|| ended(" again and again")))
    }

    /// Has a process of its own perform it: this one serves the disk and must not wait for it.
    fn command(&self, scene: &Scene, device: &Path, mount: &Path) -> Result<Child, PowercutError> {
        let before = scene.before.iter().filter_map(|note| match note {
            Note::Tried(request) => Some(request.number),
            _ => None,
        });
        let numbers = [
            ("--seed", scene.seed),
            ("--first-number", before.chain(self.drive.last_number()).max().unwrap_or(0) + 1),
            ("--segment-bytes", scene.workload.segment_bytes),
        ];
        let mut words: Vec<OsString> = scene.through.iter().map(OsString::from).collect();
        words.push(programs::this()?.into_os_string());
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).args(["perform", "--workload", scene.workload.name]);
        command.args(["--script", scene.script.name()]);
        command.args(["--filesystem", scene.filesystem.name()]);
        for (option, number) in numbers {
            command.arg(option).arg(number.to_string());
        }
        let notes = self.files.join(NOTES);
        for (option, path) in [("--device", device), ("--at", mount), ("--notes", notes.as_path())]
        {
            command.arg(option).arg(path);
        }
        if let Some(plant) = scene.plant {
            command.args(["--plant", plant.name()]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().map_err(PowercutError::io("start the workload"))
    }
}

impl Scene {
    /// Whether `SIGBUS` is an end that may be: where files are mapped and the disk fails, the
    /// system has no other word for it.
    fn may_end_by_bus_error(&self) -> bool {
        self.script.is_failing() && self.workload.read_mode != ReadMode::Pread
    }
}

/// How a workload ends where nobody broke a word.
enum Ending {
    Well,
    /// By `SIGBUS`.
    BusError,
}

/// Waits for a workload to end.
fn wait(child: &mut Child) -> Result<Ending, Violation> {
    let not_run = |what: String| Err(Violation::NotPerformed(what));
    let glances = PATIENCE.as_millis() / GLANCE.as_millis();
    for _ in 0..glances {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(GLANCE),
            Ok(Some(status)) if status.success() => return Ok(Ending::Well),
            Ok(Some(status)) if status.signal() == Some(Signal::BUS.as_raw()) => {
                return Ok(Ending::BusError);
            }
            Ok(Some(status)) => return not_run(format!("{} ({status})", said(child))),
            Err(error) => return not_run(error.to_string()),
        }
    }
    drop(child.kill());
    drop(child.wait());
    not_run("it did not end".to_owned())
}

fn said(child: &mut Child) -> String {
    let mut said = String::new();
    if let Some(stderr) = child.stderr.as_mut() {
        drop(std::io::Read::read_to_string(stderr, &mut said));
    }
    said.trim().trim_start_matches("error: ").to_owned()
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            // The whole namespace goes with the process.
            drop(session.umount_and_join());
        }
    }
}
