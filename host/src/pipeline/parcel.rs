//! What a delivery sends, while it waits: in memory as long as it is likely to leave soon, else in the spool.
//!
//! What is in the spool needs no journal to be sent, so an outage costs disk and its end costs no replay. It is read
//! back for an attempt and no longer, and waits for room then. Where the spool has no room, what waits is forgotten and
//! made again. Refuses to make anything.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;

use crate::record::{Column, Object, Records, Rows};
use crate::spool::{Spool, SpoolError, SpoolFile};

use super::budget::{Budget, Room, Share};

/// What can wait in a file.
pub(crate) trait Parcel: Sized + Send + 'static {
    /// What of it stays in memory: little.
    type Label: Clone + Send + 'static;

    /// Bytes of it in memory, about.
    fn bytes(&self) -> usize;

    /// Its label, and the rest.
    fn pack(self) -> (Self::Label, Vec<Bytes>);

    /// The reverse; none when this is not what was packed.
    fn unpack(label: Self::Label, bytes: Vec<u8>) -> Option<Self>;
}

impl Parcel for Object {
    type Label = Self;

    fn bytes(&self) -> usize {
        self.body.len()
    }

    fn pack(mut self) -> (Self, Vec<Bytes>) {
        let body = std::mem::take(&mut self.body);
        (self, vec![body])
    }

    fn unpack(label: Self, bytes: Vec<u8>) -> Option<Self> {
        Some(Self { body: bytes.into(), ..label })
    }
}

/// Everything of rows but their payload.
#[derive(Serialize, Deserialize)]
struct Frame {
    ends: Vec<u32>,
    /// Name, dictionary and codes.
    columns: Vec<(String, Vec<String>, Vec<u32>)>,
    sequences: Vec<u64>,
    ordinals: Vec<u32>,
    arrived_ms: Vec<u64>,
}

impl Parcel for Rows {
    /// Bytes of the frame, which stands before the payload.
    type Label = usize;

    fn bytes(&self) -> usize {
        self.records.payload().len()
    }

    fn pack(self) -> (usize, Vec<Bytes>) {
        let columns = self.records.columns().iter();
        let frame = Frame {
            ends: self.records.ends().to_vec(),
            columns: columns.map(|one| (one.name.clone(), one.dictionary.clone(), one.codes.clone())).collect(),
            sequences: self.sequences,
            ordinals: self.ordinals,
            arrived_ms: self.arrived_ms,
        };
        // Numbers and texts always serialize; if not, what is read back is no frame, and the rows are made again.
        let frame = serde_json::to_vec(&frame).unwrap_or_default();
        (frame.len(), vec![frame.into(), self.records.payload().clone()])
    }

    fn unpack(label: usize, mut bytes: Vec<u8>) -> Option<Self> {
        let frame: Frame = serde_json::from_slice(bytes.get(..label)?).ok()?;
        let columns = frame.columns.into_iter();
        let columns = columns.map(|(name, dictionary, codes)| Column { name, dictionary, codes }).collect();
        let payload = bytes.split_off(label);
        let records = Records::new(payload.into(), frame.ends, columns).ok()?;
        Some(Self { records, sequences: frame.sequences, ordinals: frame.ordinals, arrived_ms: frame.arrived_ms })
    }
}

/// Where parcels of one stream wait, and how much may.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    spool: Spool,
    /// Of this stream.
    stream: Budget,
    /// Of all streams.
    all: Budget,
}

/// What one stream may have waiting in the spool, as a part of all that may wait there: one stream's outage leaves room
/// for those of others.
const STREAM_PART: usize = 4;

impl Shelf {
    /// The shelf of one stream, in `all` of which `all_bytes` may wait.
    pub(crate) fn new(spool: Spool, all: Budget, all_bytes: usize) -> Self {
        Self { spool, stream: Budget::new(all_bytes / STREAM_PART), all }
    }

    fn is_over(&self) -> bool {
        self.stream.is_over() || self.all.is_over()
    }
}

/// One parcel, wherever it is. Empty when it is to be made.
#[derive(Debug)]
pub(crate) struct Stock<T: Parcel> {
    held: Option<InMemory<T>>,
    filed: Option<Filed<T::Label>>,
}

#[derive(Debug)]
struct InMemory<T> {
    parcel: T,
    share: Share,
    /// Of what may be in memory from files, where it came from one.
    _room: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
struct Filed<L> {
    label: L,
    file: Arc<SpoolFile>,
    _shares: [Share; 2],
}

impl<T: Parcel> Stock<T> {
    /// Of something in memory.
    pub(crate) fn of(parcel: T, mut share: Share) -> Self {
        share.resize(parcel.bytes());
        Self { held: Some(InMemory { parcel, share, _room: None }), filed: None }
    }

    /// What is in memory.
    pub(crate) fn held(&self) -> Option<&T> {
        self.held.as_ref().map(|held| &held.parcel)
    }

    /// Gives the memory back of what is in a file as well.
    pub(crate) fn put_back(&mut self) {
        if self.filed.is_some() {
            self.held = None;
        }
    }

    /// Gives the memory back: to the spool where that has room.
    pub(crate) async fn park(&mut self, shelf: &Shelf) {
        let Some(InMemory { parcel, share, .. }) = self.held.take() else { return };
        if self.filed.is_some() || shelf.is_over() {
            return;
        }
        let bytes = parcel.bytes();
        let mut shares = [shelf.stream.share(), shelf.all.share()];
        shares.iter_mut().for_each(|share| share.resize(bytes));
        let spool = shelf.spool.clone();
        let writing = spawn_blocking(move || -> Result<_, SpoolError> {
            let (label, parts) = parcel.pack();
            let mut file = None;
            for part in parts {
                spool.append(&mut file, &part)?;
            }
            drop(share);
            Ok(file.map(|file| (label, file)))
        });
        match writing.await {
            Ok(Ok(written)) => {
                self.filed = written.map(|(label, file)| Filed { label, file: file.into(), _shares: shares });
            }
            Ok(Err(error)) => tracing::debug!(%error, "a waiting batch is forgotten and made again later"),
            Err(_stopping) => {}
        }
    }

    /// Brings it back into memory, when there is room for it. False when it has to be made again.
    pub(crate) async fn load(&mut self, memory: &Budget, room: &Room) -> bool {
        if self.held.is_some() {
            return true;
        }
        let Some(filed) = &self.filed else { return false };
        let (label, file) = (filed.label.clone(), Arc::clone(&filed.file));
        let room = room.take(file.bytes()).await;
        let mut share = memory.share();
        share.resize(usize::try_from(file.bytes()).unwrap_or(usize::MAX));
        let reading = spawn_blocking(move || file.read_with(b"").map(|bytes| T::unpack(label, bytes)));
        let parcel = match reading.await {
            Ok(Ok(parcel)) => parcel,
            Ok(Err(error)) => {
                tracing::warn!(%error, "a waiting batch cannot be read from the spool and is made again");
                None
            }
            Err(_stopping) => None,
        };
        let Some(parcel) = parcel else {
            self.filed = None;
            return false;
        };
        share.resize(parcel.bytes());
        self.held = Some(InMemory { parcel, share, _room: room });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::testing::object;

    fn rows() -> Rows {
        let column = Column { name: "k".to_owned(), dictionary: vec!["v\"\n".to_owned()], codes: vec![1, 0, 1] };
        let records = Records::new(Bytes::from_static(b"abc\0\xff"), vec![1, 1, 5], vec![column]).unwrap();
        Rows { records, sequences: vec![7, 8, 8], ordinals: vec![0, 0, 1], arrived_ms: vec![3, u64::MAX, 4] }
    }

    async fn there_and_back<T: Parcel + Clone + PartialEq + std::fmt::Debug>(parcel: T) {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 10_000).unwrap();
        let (shelf, room) = (Shelf::new(spool.clone(), Budget::new(10_000), 10_000), Room::new(0));
        let memory = Budget::new(0);
        let mut stock = Stock::of(parcel.clone(), memory.share());
        for _ in 0..3 {
            assert!(memory.is_over() == (parcel.bytes() > 0) && stock.held() == Some(&parcel));
            stock.park(&shelf).await;
            assert!(stock.held().is_none() && !memory.is_over(), "memory was given back");
            let used = spool.used_bytes();
            assert!(used >= parcel.bytes() as u64, "it is in the spool");
            assert!(stock.load(&memory, &room).await && spool.used_bytes() == used, "and written once");
            assert!(room.try_take(1).is_none() || parcel.bytes() == 0, "it takes room while it is in memory");
        }
        stock.put_back();
        assert!(stock.held().is_none() && room.try_take(1).is_some() && !memory.is_over());
        drop(stock);
        assert_eq!(spool.used_bytes(), 0);
    }

    #[tokio::test]
    async fn rows_come_back_as_they_were() {
        there_and_back(rows()).await;
        there_and_back(Rows::default()).await;
        assert_eq!(Rows::unpack(3, b"{}".to_vec()), None);
        assert_eq!(Rows::unpack(2, b"{}x".to_vec()), None);
    }

    /// Row D8: what cannot be read back is made again.
    #[tokio::test]
    async fn a_file_that_is_gone_is_no_empty_object() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(&folder.path().join("spool"), 100).unwrap();
        let (memory, room) = (Budget::new(100), Room::new(0));
        let mut stock = Stock::of(object("b", "k", b"body"), memory.share());
        stock.park(&Shelf::new(spool, Budget::new(100), 100)).await;
        std::fs::remove_dir_all(folder.path().join("spool")).unwrap();
        assert!(!stock.load(&memory, &room).await && stock.held().is_none());
        assert!(room.try_take(1).is_some());
    }

    #[tokio::test]
    async fn a_body_comes_back_as_it_was() {
        let made = object("b", "k", b"body");
        let (label, parts) = Object { content_encoding: Some("gzip"), ..made.clone() }.pack();
        assert!(label.body.is_empty());
        let back = Object::unpack(label, parts.concat()).unwrap();
        assert_eq!((back.body, back.content_encoding, back.seal), (made.body, Some("gzip"), made.seal));
    }

    /// A full spool, or a stream that has its part of it, costs a making.
    #[tokio::test]
    async fn what_has_no_room_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 1_000).unwrap();
        let (memory, all) = (Budget::new(0), Budget::new(100));
        let (shelf, room) = (Shelf::new(spool.clone(), all.clone(), 100), Room::new(1 << 20));
        let stock = |bytes: usize| Stock::of(object("b", "k", &vec![b'x'; bytes]), memory.share());
        // A part that is not full yet takes one more, whatever its size.
        let (mut first, mut second) = (stock(26), stock(1));
        first.park(&shelf).await;
        second.park(&shelf).await;
        assert!(first.load(&memory, &room).await && !second.load(&memory, &room).await);
        let mut other = stock(2_000);
        other.park(&Shelf::new(spool.clone(), all.clone(), 100)).await;
        assert!(!other.load(&memory, &room).await, "the spool is full");
        let mut other = stock(80);
        other.park(&Shelf::new(spool.clone(), all.clone(), 100)).await;
        let mut late = stock(1);
        late.park(&Shelf::new(spool, all, 100)).await;
        assert!(
            other.load(&memory, &room).await && !late.load(&memory, &room).await,
            "all streams together have theirs"
        );
    }
}
