//! A small ext4 filesystem in a file: a disk that can be filled, and whose power can be cut.
//!
//! The cut is ext4's own shutdown call without flushing its log: what was not synced is gone, and every later fsync
//! fails, as on a machine that lost power. kill -9 alone proves nothing about fsync, because the page cache survives
//! it. Needs root and loop devices; [`LoopDisk::create`] says what is missing. Refuses to touch any other filesystem.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::ioctl::{Setter, ioctl};
use tempfile::TempDir;

/// `EXT4_IOC_SHUTDOWN`.
const SHUTDOWN: rustix::ioctl::Opcode = 0x8004_587D;
/// `EXT4_GOING_FLAGS_NOLOGFLUSH`: the journal of the filesystem is not written out either.
const WITHOUT_LOG_FLUSH: u32 = 2;

/// A mounted loop image; unmounted and deleted on drop.
#[derive(Debug)]
pub struct LoopDisk {
    folder: TempDir,
    mounted: bool,
}

impl LoopDisk {
    /// Makes and mounts a filesystem of `bytes` bytes.
    ///
    /// # Errors
    /// What this machine does not allow. Only [`LoopDisk::probe`] may turn that into a reason to leave a test out.
    pub fn create(bytes: u64) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("hydrant-disk-").tempdir().map_err(|error| error.to_string())?;
        let mut disk = Self { folder, mounted: false };
        File::create(disk.image()).and_then(|image| image.set_len(bytes)).map_err(|error| error.to_string())?;
        std::fs::create_dir(disk.path()).map_err(|error| error.to_string())?;
        run("mkfs.ext4", &["-q", "-F", "-m", "0", &disk.image().to_string_lossy()])?;
        disk.mount()?;
        Ok(disk)
    }

    /// Says why this machine cannot do it at all, after trying the whole cycle on a tiny image; nothing when it can.
    pub fn probe() -> Option<String> {
        let cycle = || -> Result<(), String> {
            let mut disk = Self::create(16 << 20)?;
            disk.cut_power()?;
            disk.unmount()?;
            disk.mount()
        };
        cycle().err()
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    /// Loses everything that was not synced, at once; every open file fails from here on.
    ///
    /// # Errors
    /// When the kernel refuses.
    #[expect(unsafe_code, reason = "the call takes a pointer to one u32, which Setter passes")]
    pub fn cut_power(&self) -> Result<(), String> {
        let root = File::open(self.path()).map_err(|error| error.to_string())?;
        // SAFETY: EXT4_IOC_SHUTDOWN reads one u32 of flags through its argument and writes nothing.
        let done = unsafe { ioctl(&root, Setter::<SHUTDOWN, u32>::new(WITHOUT_LOG_FLUSH)) };
        done.map_err(|error| format!("EXT4_IOC_SHUTDOWN: {error}"))
    }

    /// Unmounts and mounts again, as a machine that got its power back; nobody may have a file open.
    ///
    /// # Errors
    /// When the filesystem is busy or does not come back.
    pub fn power_on(&mut self) -> Result<(), String> {
        self.unmount()?;
        self.mount()
    }

    fn mount(&mut self) -> Result<(), String> {
        run("mount", &["-o", "loop", &self.image().to_string_lossy(), &self.path().to_string_lossy()])?;
        self.mounted = true;
        Ok(())
    }

    fn unmount(&mut self) -> Result<(), String> {
        run("umount", &[&self.path().to_string_lossy()])?;
        self.mounted = false;
        Ok(())
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        if self.mounted {
            let path = self.path();
            // Lazily: a failing test may leave a process with open files, which ends a moment later.
            let _best_effort = run("umount", &["-l", &path.to_string_lossy()]);
        }
    }
}

/// Free bytes of the filesystem that holds `path`.
///
/// # Panics
/// When it cannot be asked.
pub fn free_bytes(path: &Path) -> u64 {
    let stat = rustix::fs::statvfs(path).expect("a mounted filesystem answers");
    stat.f_bavail * stat.f_frsize
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;
    use crate::environment::say;

    /// The rig itself: without this, a test that survives a power cut would prove nothing.
    #[test]
    fn a_power_cut_loses_what_was_not_synced_and_keeps_what_was() {
        if let Some(reason) = LoopDisk::probe() {
            say(&format!("THE POWER-CUT RIG WAS NOT TESTED: {reason}"));
            return;
        }
        let mut disk = LoopDisk::create(32 << 20).unwrap();
        let kept = disk.path().join("kept");
        let mut file = File::create(&kept).unwrap();
        file.write_all(&[1; 100_000]).unwrap();
        file.sync_all().unwrap();
        File::open(disk.path()).unwrap().sync_all().unwrap();
        file.write_all(&[2; 100_000]).unwrap();
        fs::write(disk.path().join("lost"), [3; 100_000]).unwrap();
        disk.cut_power().unwrap();
        assert!(file.sync_all().is_err(), "fsync fails after the cut");
        drop(file);
        disk.power_on().unwrap();
        assert_eq!(fs::read(&kept).unwrap(), vec![1; 100_000]);
        let lost = fs::read(disk.path().join("lost")).unwrap_or_default();
        assert!(lost.is_empty(), "an un-synced file came back with {} bytes", lost.len());
    }
}
