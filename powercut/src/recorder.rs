//! Records what a disk is told while a workload runs on the filesystem that it holds.

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use fuser::{BackgroundSession, Config, MountOption};

use crate::{
    block_fault::BlockFault,
    device::{Drive, NOTES},
    error::PowercutError,
    filesystem::Filesystem,
    image::Image,
    loop_device::LoopDevice,
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
    mount: PathBuf,
}

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
        let (files, mount) = (scratch.join("drive"), scratch.join("recorded"));
        for directory in [&files, &mount] {
            std::fs::create_dir_all(directory).map_err(&io)?;
        }
        let drive = Drive::default();
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("annals-powercut".to_owned())];
        let session = fuser::spawn_mount(drive.clone(), &files, &config).map_err(&io)?;
        Ok(Self { drive, session: Some(session), files, mount })
    }

    /// Performs a workload and records it.
    ///
    /// # Errors
    /// The store breaks its word while everything works, or the system refuses.
    /// [`PowercutError::Damaged`]: the filesystem does not outlive the state of the disk that it
    /// begins with.
    pub(crate) fn record(&self, scene: &Scene) -> Result<Recording, PowercutError> {
        let name = self.drive.insert(scene.base.clone(), scene.fault);
        let device = LoopDevice::attach(&self.files.join(name))?;
        let performed = self.wait_for(&mut self.command(scene, device.path())?);
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
        performed.and_then(|()| testimony::hold(&recording)).map_err(|violation| {
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

    fn wait_for(&self, child: &mut Child) -> Result<(), Violation> {
        let outcome = wait(child);
        if outcome.is_err() {
            // It may have left the disk mounted.
            drop(programs::unmount(&self.mount));
        }
        outcome
    }

    /// Has a process of its own perform it: this one serves the disk and must not wait for it.
    fn command(&self, scene: &Scene, device: &Path) -> Result<Child, PowercutError> {
        let next = scene.before.iter().filter_map(|note| match note {
            Note::Tried(request) => Some(request.number + 1),
            _ => None,
        });
        let numbers = [
            ("--seed", scene.seed),
            ("--first-number", next.max().unwrap_or(1)),
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
        for (option, path) in
            [("--device", device), ("--at", self.mount.as_path()), ("--notes", notes.as_path())]
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

/// Waits for a workload to end.
fn wait(child: &mut Child) -> Result<(), Violation> {
    let not_run = |what: String| Err(Violation::NotPerformed(what));
    let glances = PATIENCE.as_millis() / GLANCE.as_millis();
    for _ in 0..glances {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(GLANCE),
            Ok(Some(status)) if status.success() => return Ok(()),
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
