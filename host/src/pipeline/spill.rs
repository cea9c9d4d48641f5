//! From memory to files: what buffers hold, and what batches hold that wait for others before them.
//!
//! Nothing is lost where a file has no room: what could not be written comes back as it was, or is made again from the
//! journal. Refuses to choose what goes.

use std::sync::Arc;

use super::delivery::Held;
use super::work::Gone;
use crate::batch::Spill;
use crate::record::Content;
use crate::spool::{Spool, SpoolError};

/// Writes what buffers hold, one after the other until one cannot be written. All of it comes back, to be put into its
/// buffer again.
///
/// # Errors
/// The process is stopping, or the writer panicked: whoever asked must not go on without the records.
pub(super) async fn write(spool: Spool, mut spills: Vec<Spill>) -> Result<(Vec<Spill>, Result<(), SpoolError>), Gone> {
    let writing = tokio::task::spawn_blocking(move || {
        let mut written = Ok(());
        for Spill { records, file, .. } in &mut spills {
            written = spool.append(file, records);
            if written.is_err() {
                break;
            }
            *records = Vec::new();
        }
        (spills, written)
    });
    writing.await.map_err(|_panicked| Gone)
}

/// Moves the content of a batch that will wait for long to a file. None where that cannot be done: it is made again when
/// its turn comes.
///
/// # Errors
/// As for [`write()`].
pub(super) async fn set_down(spool: Spool, held: Held) -> Result<Option<Held>, Gone> {
    // What is in a file is not worth making again, nor is the rest of it worth another write.
    if matches!(held.content, Content::Spilled { .. }) {
        return Ok(Some(held));
    }
    let Held { content, mut share, .. } = held;
    let (content, is_written) = pour(spool, content).await?;
    share.resize(0);
    Ok(is_written.then_some(Held { content, share, unencoded: None, room: None }))
}

/// Writes what `content` has in memory behind what it has in its file. False when there is nothing to write, or no room;
/// then it is as it was.
///
/// # Errors
/// As for [`write()`]; the content is gone.
pub(super) async fn pour(spool: Spool, content: Content) -> Result<(Content, bool), Gone> {
    let (mut file, records) = match content {
        Content::Records(records) => (None, records),
        // Whoever still fills it is the only one that has it.
        Content::Spilled { file, tail } => (Some(Arc::into_inner(file).ok_or(Gone)?), tail),
        content @ (Content::Rows(_) | Content::Rejected(_)) => return Ok((content, false)),
    };
    let writing = tokio::task::spawn_blocking(move || {
        let is_written = !records.is_empty() && spool.append(&mut file, &records).is_ok();
        (file, records, is_written)
    });
    let (file, records, is_written) = writing.await.map_err(|_panicked| Gone)?;
    let tail = if is_written { Vec::new() } else { records };
    let content = match file {
        Some(file) => Content::Spilled { file: Arc::new(file), tail },
        None => Content::Records(tail),
    };
    Ok((content, is_written))
}

#[cfg(test)]
mod tests {
    use super::super::budget::Budget;
    use super::*;
    use crate::record::Partition;

    fn spill(records: &[u8]) -> Spill {
        Spill { partition: Partition::Main, records: records.to_vec(), file: None }
    }

    /// Row D8: what a full spool refuses is still in hand.
    #[tokio::test]
    async fn what_cannot_be_written_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 5).unwrap();
        let (spills, written) = write(spool.clone(), vec![spill(b"abc"), spill(b"def"), spill(b"g")]).await.unwrap();
        assert!(matches!(written, Err(SpoolError::Full { used: 3, capacity: 5 })));
        let left: Vec<_> = spills.iter().map(|one| (&one.records[..], one.file.is_some())).collect();
        assert_eq!(left, [(&b""[..], true), (b"def", false), (b"g", false)]);
    }

    #[tokio::test]
    async fn a_batch_is_set_down_where_there_is_room() {
        let (folder, budget) = (tempfile::tempdir().unwrap(), Budget::new(2));
        let spool = Spool::open(folder.path(), 3).unwrap();
        let held = || {
            let (mut share, mut unencoded) = (budget.share(), budget.share());
            share.resize(3);
            unencoded.resize(3);
            Held { content: Content::Records(b"abc".to_vec()), share, unencoded: Some(unencoded), room: None }
        };
        let down = set_down(spool.clone(), held()).await.unwrap().unwrap();
        assert!(!budget.is_over() && spool.used_bytes() == 3);
        assert!(set_down(spool.clone(), held()).await.unwrap().is_none());
        assert!(matches!(down.content.load().unwrap(), Content::Records(records) if records == b"abc"));
    }

    /// What is gathered goes behind what is in the file already, and stays whole where there is no room for more.
    #[tokio::test]
    async fn more_goes_into_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 5).unwrap();
        let mut content = Content::Records(Vec::new());
        for (more, wanted) in [(&b""[..], false), (b"abc", true), (b"de", true), (b"fg", false), (b"", false)] {
            match &mut content {
                Content::Records(bytes) | Content::Spilled { tail: bytes, .. } => bytes.extend_from_slice(more),
                Content::Rows(_) | Content::Rejected(_) => {}
            }
            let (poured, is_written) = pour(spool.clone(), content).await.unwrap();
            assert_eq!(is_written, wanted, "{more:?}");
            content = poured;
        }
        assert_eq!((content.bytes(), content.bytes_in_memory()), (7, 2));
        assert!(matches!(content.load().unwrap(), Content::Records(records) if records == b"abcdefg"));
    }
}
