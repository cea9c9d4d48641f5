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
/// As for [`write`].
pub(super) async fn set_down(spool: Spool, held: Held) -> Result<Option<Held>, Gone> {
    let Held { content, mut share, unencoded } = held;
    let records = match content {
        Content::Records(records) => records,
        // What is in a file is not worth making again, nor is the rest of it worth another write.
        content @ Content::Spilled { .. } => return Ok(Some(Held { content, share, unencoded })),
        Content::Rows(_) | Content::Rejected(_) => return Ok(None),
    };
    let writing = tokio::task::spawn_blocking(move || {
        let mut file = None;
        spool.append(&mut file, &records).map(|()| file)
    });
    let Ok(Some(file)) = writing.await.map_err(|_panicked| Gone)? else { return Ok(None) };
    share.resize(0);
    let content = Content::Spilled { file: Arc::new(file), tail: Vec::new() };
    Ok(Some(Held { content, share, unencoded: None }))
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
            Held { content: Content::Records(b"abc".to_vec()), share, unencoded: Some(unencoded) }
        };
        let down = set_down(spool.clone(), held()).await.unwrap().unwrap();
        assert!(!budget.is_over() && spool.used_bytes() == 3);
        assert!(set_down(spool.clone(), held()).await.unwrap().is_none());
        assert!(matches!(down.content.load().unwrap(), Content::Records(records) if records == b"abc"));
    }
}
