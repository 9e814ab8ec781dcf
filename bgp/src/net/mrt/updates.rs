//! The file of what is heard: whole records only, and what is counted as written is on the disk.
//!
//! Records are gathered for a second, or until there are many, then written and synchronized at once. A write that fails
//! (a full disk) may have left half a record: the file is cut back to the last whole one, for everything behind a half
//! one would be misread. The same is done to a file that a killed process or a crash has left so, when it is opened.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use tracing::warn;

use crate::config::MrtFile;

/// Octets gathered before they are written.
const GATHERED: usize = 1 << 20;
/// Octets of the header of a record (RFC 6396 section 2).
const HEADER: usize = 12;

/// The files of what is heard, one after the other.
#[derive(Debug)]
pub(super) struct UpdatesFile {
    file: MrtFile,
    open: Option<Open>,
    /// Whole records that are not written yet.
    gathered: Vec<u8>,
    /// How many those are.
    records: u64,
}

/// The file being written.
#[derive(Debug)]
struct Open {
    /// Which interval it is for.
    interval: u64,
    path: PathBuf,
    file: File,
    /// Its length when the last write had succeeded.
    length: u64,
}

/// Records that could not be written, and why.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) records: u64,
    pub(super) file: PathBuf,
    pub(super) error: io::Error,
}

impl UpdatesFile {
    pub(super) fn new(file: MrtFile) -> Self {
        Self { file, open: None, gathered: Vec::new(), records: 0 }
    }

    /// The file being written.
    pub(super) fn path(&self) -> Option<&Path> {
        self.open.as_ref().map(|open| open.path.as_path())
    }

    /// Whether something is gathered that has not been written.
    pub(super) fn is_waiting(&self) -> bool {
        self.records > 0
    }

    /// Takes a record that was heard at `unix`. Returns how many records have been written because of it.
    ///
    /// # Errors
    /// Records gathered before are lost; this one too, where the file of its interval cannot be opened.
    pub(super) fn add(&mut self, record: &[u8], unix: Duration) -> Result<u64, Lost> {
        let mut written = 0;
        if self.open.as_ref().is_none_or(|open| open.interval != interval(&self.file, unix)) {
            written = self.write()?;
            self.begin(unix).map_err(|(file, error)| Lost { records: 1, file, error })?;
        }
        self.gathered.extend_from_slice(record);
        self.records += 1;
        if self.gathered.len() >= GATHERED {
            written += self.write()?;
        }
        Ok(written)
    }

    /// Writes what is gathered. Returns how many records that were.
    ///
    /// # Errors
    /// They are lost, and the file is as if the write had not been tried.
    pub(super) fn write(&mut self) -> Result<u64, Lost> {
        let records = std::mem::take(&mut self.records);
        let gathered = std::mem::take(&mut self.gathered);
        let Some(open) = self.open.as_mut().filter(|_| records > 0) else { return Ok(0) };
        match open.append(&gathered) {
            Ok(()) => Ok(records),
            Err(error) => {
                let file = open.path.clone();
                self.open = None;
                Err(Lost { records, file, error })
            }
        }
    }

    /// Opens the file of the interval that `unix` lies in; one that exists is continued.
    fn begin(&mut self, unix: Duration) -> Result<(), (PathBuf, io::Error)> {
        let interval = interval(&self.file, unix);
        let begun = Duration::from_secs(interval.saturating_mul(self.file.every.as_secs().max(1)));
        let path = self.file.path.at(begun);
        self.open = None;
        match open(&path) {
            Ok((file, length)) => self.open = Some(Open { interval, path, file, length }),
            Err(error) => return Err((path, error)),
        }
        Ok(())
    }
}

impl Open {
    fn append(&mut self, records: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(records).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.length += records.len() as u64,
            // Where even this fails, the file is cut when it is opened again.
            Err(_) => _ = self.file.set_len(self.length),
        }
        written
    }
}

/// The number of the interval that `unix` lies in; intervals begin at whole multiples of their length.
pub(super) fn interval(file: &MrtFile, unix: Duration) -> u64 {
    unix.as_secs() / file.every.as_secs().max(1)
}

/// Opens a file to append to, without the part of a record that it may end with; its length.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let (whole, length) = (whole_records(&mut file)?, file.metadata()?.len());
    if whole < length {
        warn!(file = %path.display(), octets = length - whole, "cut off an MRT record that was not written whole");
        file.set_len(whole)?;
    }
    Ok((file, whole))
}

/// Where the last whole record of a file ends.
fn whole_records(file: &mut File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(file);
    let mut end = 0;
    while length - end >= HEADER as u64 {
        let mut header = [0; HEADER];
        reader.read_exact(&mut header)?;
        let [.., a, b, c, d] = header;
        let body = u32::from_be_bytes([a, b, c, d]);
        let next = end + HEADER as u64 + u64::from(body);
        if next > length {
            break;
        }
        reader.seek_relative(body.into())?;
        end = next;
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000_000);

    fn updates(path: &Path) -> UpdatesFile {
        let path = path.display().to_string().parse().unwrap();
        UpdatesFile::new(MrtFile { path, every: Duration::from_secs(3600) })
    }

    /// A record whose body is so many octets of this number.
    fn record(number: u8, length: usize) -> Vec<u8> {
        let mut record = vec![0; HEADER + length];
        record[8..HEADER].copy_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
        record[HEADER..].fill(number);
        record
    }

    #[test]
    fn what_a_killed_process_has_half_written_is_cut_off_before_the_file_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("updates");
        for half in [1, HEADER - 1, HEADER, HEADER + 5] {
            let begun = [record(1, 20), record(2, 0), record(3, 30)[..half].to_vec()].concat();
            std::fs::write(&path, begun).unwrap();
            let mut updates = updates(&path);
            updates.add(&record(4, 7), NOW).unwrap();
            assert_eq!(updates.write().unwrap(), 1);
            let expected = [record(1, 20), record(2, 0), record(4, 7)].concat();
            assert_eq!(std::fs::read(&path).unwrap(), expected, "{half} octets");
        }
    }

    #[test]
    fn records_count_as_written_when_the_file_has_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("updates");
        let mut updates = updates(&path);
        assert_eq!(updates.add(&record(1, 100), NOW).unwrap(), 0);
        assert!(updates.is_waiting() && std::fs::read(&path).unwrap().is_empty());
        assert_eq!(updates.add(&record(2, GATHERED), NOW).unwrap(), 2);
        assert_eq!(std::fs::read(&path).unwrap(), [record(1, 100), record(2, GATHERED)].concat());
        assert_eq!(updates.add(&record(3, 1), NOW).unwrap(), 0);
        // The next interval's file begins only when this one has everything.
        assert_eq!(updates.add(&record(4, 1), NOW + Duration::from_secs(7200)).unwrap(), 1);
    }

    #[test]
    fn a_device_is_not_taken_for_a_file() {
        let lost = updates(Path::new("/dev/full")).add(&record(1, 1), NOW).unwrap_err();
        assert_eq!((lost.records, lost.error.kind()), (1, io::ErrorKind::InvalidInput));
    }

    /// Runs in a mount namespace of its own, on a file system of 256 KiB.
    #[test]
    fn a_full_disk_leaves_whole_records_only() {
        const INSIDE: &str = "SISKIN_TEST_FULL_DISK";
        let Ok(directory) = std::env::var(INSIDE) else {
            let directory = tempfile::tempdir().unwrap();
            let test = "net::mrt::updates::tests::a_full_disk_leaves_whole_records_only";
            let script = format!(
                "mount -t tmpfs -o size=256k tmpfs '{0}' && {INSIDE}='{0}' exec '{1}' --exact --nocapture {test}",
                directory.path().display(),
                std::env::current_exe().unwrap().display(),
            );
            let mut inside = std::process::Command::new("unshare");
            inside.args(["--mount", "--", "sh", "-c", "mount --make-rprivate / && exec true"]);
            if !inside.output().is_ok_and(|output| output.status.success()) {
                return println!("SKIPPED: no file system can be mounted here (needs root)");
            }
            let inside =
                std::process::Command::new("unshare").args(["--mount", "--", "sh", "-c", &script]).output();
            let output = inside.unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
            return;
        };
        let path = Path::new(&directory).join("updates");
        let filler = Path::new(&directory).join("filler");
        let mut updates = updates(&path);
        updates.add(&record(1, 60_000), NOW).unwrap();
        assert_eq!(updates.write().unwrap(), 1);
        std::fs::write(&filler, vec![0; 150_000]).unwrap();
        for number in 2..5 {
            updates.add(&record(number, 30_000), NOW).unwrap();
        }
        let lost = updates.write().unwrap_err();
        assert_eq!((lost.records, lost.error.kind()), (3, io::ErrorKind::StorageFull));
        assert_eq!(std::fs::read(&path).unwrap(), record(1, 60_000));
        std::fs::remove_file(&filler).unwrap();
        updates.add(&record(5, 30_000), NOW).unwrap();
        assert_eq!(updates.write().unwrap(), 1);
        assert_eq!(std::fs::read(&path).unwrap(), [record(1, 60_000), record(5, 30_000)].concat());
    }
}
