//! Cut points, and random histories with a crash after every seal.

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::*;
use crate::definition::{
    Buffering, EndpointBody, EventTime, HttpEndpoint, KeySource, Login, PartitionKey, Partitioning, S3Destination,
    SourceBackup, Target, testing,
};
use crate::record::{Content, ErrorOutput, Origins, Ran, Records};

const STREAM: StreamId = StreamId(7);

const FAILED: Partition = Partition::Error(ErrorOutput::ProcessingFailed);

impl Accumulator {
    /// Takes all in, whatever room there is.
    fn feed(&mut self, transformed: Transformed, now_ms: u64) -> Vec<Cut> {
        let routed = self.route(transformed);
        self.add(routed, now_ms)
    }
}

/// What becomes of one input.
#[derive(Clone, Debug, PartialEq)]
enum Fate {
    Outputs(Vec<u16>),
    Rejected(u16),
    Dropped,
}

fn definition(buffer_bytes: u64, buffer_seconds: u32) -> Definition {
    let s3 = S3Destination { buffer_bytes, buffer_seconds, ..testing::s3() };
    Definition { s3, ..testing::definition("orders") }
}

fn new(buffer_bytes: u64, buffer_seconds: u32) -> Accumulator {
    Accumulator::new(STREAM, &definition(buffer_bytes, buffer_seconds), &BTreeMap::new(), 0, PARTITIONS)
}

const PARTITIONS: usize = 3;

/// Bytes that tell which output of which input they are.
fn data(sequence: Sequence, output: usize, length: u16) -> Vec<u8> {
    let name = format!("{sequence}.{output};").into_bytes();
    name.into_iter().cycle().take(usize::from(length)).collect()
}

fn arrived_ms(sequence: Sequence) -> u64 {
    1_000_000 + sequence / 3
}

fn rejected(sequence: Sequence, length: u16) -> Rejected {
    Rejected {
        sequence,
        arrived_ms: arrived_ms(sequence),
        data: Bytes::from(data(sequence, 0, length)),
        output: ErrorOutput::ProcessingFailed,
        code: "Lambda.ProcessingFailedStatus".into(),
        message: "no".to_owned(),
        attempts: 1,
        lambda_arn: None,
        plugin: None,
        names: Vec::new(),
        is_repeatable: true,
    }
}

/// What processing makes of inputs `range`, the same for any batch they come in.
fn transformed(fates: &[Fate], range: std::ops::Range<usize>) -> Transformed {
    let (mut payload, mut ends, mut inputs, mut failed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (input, at) in (0_u32..).zip(range.clone()) {
        match &fates[at] {
            Fate::Outputs(lengths) => {
                for (output, &length) in lengths.iter().enumerate() {
                    payload.extend(data(at as u64, output, length));
                    ends.push(u32::try_from(payload.len()).unwrap());
                    inputs.push(input);
                }
            }
            Fate::Rejected(length) => failed.push(rejected(at as u64, *length)),
            Fate::Dropped => {}
        }
    }
    let identity = inputs.iter().copied().eq(0..u32::try_from(range.len()).unwrap());
    Transformed {
        stream: STREAM,
        inputs: range.start as u64..range.end as u64,
        arrived_ms: range.map(|at| arrived_ms(at as u64)).collect(),
        dropped_count: 0,
        dropped_bytes: 0,
        outputs: Records::new(payload.into(), ends, Vec::new()).unwrap(),
        origins: if identity { Origins::Identity } else { Origins::Inputs(inputs) },
        rejected: failed,
        ran: Ran::Nothing,
        source: None,
    }
}

/// All that inputs `range` have in `partition`: bytes and records.
fn expected(fates: &[Fate], partition: &Partition, range: std::ops::Range<Sequence>) -> (Vec<u8>, u64) {
    let (mut bytes, mut count) = (Vec::new(), 0);
    for sequence in range {
        match (&fates[usize::try_from(sequence).unwrap()], partition) {
            (Fate::Outputs(lengths), Partition::Main) => {
                for (output, &length) in lengths.iter().enumerate() {
                    bytes.extend(data(sequence, output, length));
                    count += 1;
                }
            }
            (Fate::Rejected(length), Partition::Error(_)) => {
                bytes.extend(data(sequence, 0, *length));
                count += 1;
            }
            _ => {}
        }
    }
    (bytes, count)
}

fn content_bytes(content: &Content) -> Vec<u8> {
    match content {
        Content::Records(payload) => payload.clone(),
        Content::Rows(rows) => rows.records.payload().to_vec(),
        Content::Spilled { file, tail } => file.read_with(tail).unwrap(),
        Content::Rejected(rejected) => rejected.iter().flat_map(|rejected| rejected.data.to_vec()).collect(),
    }
}

fn outputs(lengths: &[u16]) -> Vec<Fate> {
    lengths.iter().map(|&length| Fate::Outputs(vec![length])).collect()
}

fn spans(cuts: &[Cut]) -> Vec<(Sequence, Sequence, Sequence)> {
    cuts.iter().map(|cut| (cut.first, cut.end, cut.open_from)).collect()
}

#[test]
fn cuts_after_the_input_that_reaches_the_size() {
    let fates = outputs(&[40, 60, 99, 1, 250, 10]);
    let mut accumulator = new(100, 300);
    let cuts = accumulator.feed(transformed(&fates, 0..6), 0);
    assert_eq!(spans(&cuts), [(0, 2, 2), (2, 4, 4), (4, 5, 5)]);
    assert_eq!(cuts.iter().map(|cut| cut.content_bytes).collect::<Vec<_>>(), [100, 100, 250]);
    assert_eq!((accumulator.open_from(), accumulator.deadline_ms()), (5, Some(300_000)));
    assert_eq!(spans(&accumulator.flush()), [(5, 6, 6)]);
    assert_eq!((accumulator.open_from(), accumulator.bytes(), accumulator.deadline_ms()), (6, 0, None));
}

#[test]
fn never_splits_what_one_input_has() {
    let fates = [Fate::Outputs(vec![60, 60, 60]), Fate::Outputs(vec![30, 80, 5])];
    let cuts = new(100, 300).feed(transformed(&fates, 0..2), 0);
    assert_eq!(spans(&cuts), [(0, 1, 1), (1, 2, 2)]);
    assert_eq!(cuts.iter().map(|cut| cut.record_count).collect::<Vec<_>>(), [3, 3]);
}

#[test]
fn never_splits_the_rejections_of_one_input() {
    let mut batch = transformed(&[Fate::Rejected(0), Fate::Rejected(0)], 0..2);
    batch.rejected = vec![rejected(0, 60), rejected(0, 60), rejected(0, 60), rejected(1, 200)];
    let cuts = new(100, 300).feed(batch, 0);
    assert_eq!(spans(&cuts), [(0, 1, 1), (1, 2, 2)]);
    assert_eq!(cuts.iter().map(|cut| cut.record_count).collect::<Vec<_>>(), [3, 1]);
}

#[test]
fn cuts_by_age_counted_from_the_first_record() {
    let fates = outputs(&[1, 1, 1]);
    let mut accumulator = new(100, 60);
    assert!(accumulator.feed(transformed(&fates, 0..1), 5_000).is_empty());
    assert!(accumulator.feed(transformed(&fates, 1..2), 64_000).is_empty());
    assert!(accumulator.due(64_999).is_empty());
    assert_eq!(spans(&accumulator.due(65_000)), [(0, 2, 2)]);
    // A late timer: what came meanwhile goes along.
    accumulator.feed(transformed(&fates, 2..3), 70_000);
    assert_eq!(accumulator.deadline_ms(), Some(130_000));
    assert!(accumulator.due(0).is_empty());
    assert_eq!(spans(&accumulator.due(u64::MAX)), [(2, 3, 3)]);
}

#[test]
fn an_age_of_zero_cuts_at_once() {
    let fates = [Fate::Outputs(vec![1]), Fate::Rejected(9), Fate::Dropped, Fate::Dropped];
    let mut accumulator = new(100, 0);
    let cuts = accumulator.feed(transformed(&fates, 0..3), 5);
    assert_eq!(spans(&cuts), [(0, 1, 1), (1, 2, 3)]);
    assert!(accumulator.feed(transformed(&fates, 3..4), 6).is_empty());
    assert_eq!(accumulator.open_from(), 4);
}

#[test]
fn an_update_keeps_the_timer_of_what_is_buffered() {
    let fates = outputs(&[10, 10, 10, 10]);
    let mut accumulator = new(1000, 300);
    accumulator.feed(transformed(&fates, 0..1), 0);
    accumulator.update(&definition(20, 0));
    assert!(accumulator.due(1).is_empty());
    assert_eq!(accumulator.deadline_ms(), Some(300_000));
    // The new size rules from the next record on, the new age from the next batch on.
    assert_eq!(spans(&accumulator.feed(transformed(&fates, 1..2), 2)), [(0, 2, 2)]);
    assert_eq!(spans(&accumulator.feed(transformed(&fates, 2..3), 3)), [(2, 3, 3)]);
}

#[test]
fn memory_pressure_takes_the_largest_buffer() {
    let fates = [Fate::Rejected(10), Fate::Outputs(vec![50]), Fate::Dropped];
    let mut accumulator = new(1000, 300);
    assert!(accumulator.cut_largest().is_none());
    accumulator.feed(transformed(&fates, 0..3), 0);
    assert_eq!(accumulator.oldest_arrived_ms(), Some(arrived_ms(0)));
    let cut = accumulator.cut_largest().unwrap();
    assert_eq!((cut.partition, cut.first, cut.end, cut.open_from), (Partition::Main, 1, 2, 0));
    let cut = accumulator.cut_largest().unwrap();
    assert_eq!((cut.partition, cut.first, cut.end, cut.open_from), (FAILED, 0, 1, 3));
    assert!(accumulator.cut_largest().is_none());
    assert_eq!(accumulator.bytes(), 0);
}

#[test]
fn memory_pressure_takes_records_without_bytes_too() {
    let fates = [Fate::Rejected(1), Fate::Outputs(vec![0])];
    let mut accumulator = new(1000, 300);
    accumulator.feed(transformed(&fates, 0..2), 0);
    assert_eq!(accumulator.cut_largest().map(|cut| cut.partition), Some(FAILED));
    let cut = accumulator.cut_largest().unwrap();
    assert_eq!((cut.partition, cut.record_count, cut.content_bytes, cut.open_from), (Partition::Main, 1, 0, 2));
}

/// A range that the journal lost is skipped by the pipeline; what is around it is cut as ever.
#[test]
fn lost_inputs_leave_no_trace() {
    let fates = outputs(&[1, 2, 3, 4, 5]);
    let mut accumulator = new(1000, 300);
    accumulator.feed(transformed(&fates, 0..2), 0);
    accumulator.feed(transformed(&fates, 4..5), 0);
    let cuts = accumulator.flush();
    assert_eq!(spans(&cuts), [(0, 5, 5)]);
    assert_eq!((cuts[0].record_count, cuts[0].content_bytes), (3, 8));
}

/// Size hints count the bytes of rejected records; their bookkeeping has a limit of its own.
#[test]
fn a_flood_of_empty_rejections_is_cut() {
    let fates = vec![Fate::Rejected(0); 300_000];
    let mut accumulator = new(128 << 20, 900);
    let cuts = accumulator.feed(transformed(&fates, 0..fates.len()), 0);
    assert!(!cuts.is_empty());
    assert!(accumulator.bytes() < 17 << 20);
    let count: u64 = cuts.iter().chain(&accumulator.flush()).map(|cut| cut.record_count).sum();
    assert_eq!(count, 300_000);
}

/// A rejected record is a slice of the request it came in; keeping it must not keep the request.
#[test]
fn a_rejected_record_does_not_hold_its_request() {
    let request = Bytes::from(vec![b'x'; 4 << 20]);
    let mut batch = transformed(&[Fate::Rejected(0)], 0..1);
    batch.rejected[0].data = request.slice(10..20);
    let mut accumulator = new(128 << 20, 900);
    accumulator.feed(batch, 0);
    assert!(request.is_unique());
    assert!(accumulator.bytes() < 1000);
}

#[test]
fn inputs_added_twice_count_once() {
    let fates = outputs(&[1, 2, 3, 4]);
    let mut accumulator = new(1000, 300);
    accumulator.feed(transformed(&fates, 0..3), 0);
    accumulator.feed(transformed(&fates, 1..4), 0);
    let cuts = accumulator.flush();
    assert_eq!(content_bytes(&cuts[0].content), expected(&fates, &Partition::Main, 0..4).0);
}

/// Something the pipeline does to an accumulator.
#[derive(Clone, Debug)]
enum Action {
    Add(usize),
    Due(u64),
    Flush,
    CutLargest,
    Update(u64, u32),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => (0..40_u16).prop_map(|length| Fate::Outputs(vec![length])),
        2 => prop::collection::vec(0..40_u16, 2..4).prop_map(Fate::Outputs),
        2 => (0..40_u16).prop_map(Fate::Rejected),
        2 => Just(Fate::Dropped),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => (1..20_usize).prop_map(Action::Add),
        2 => (0..3000_u64).prop_map(Action::Due),
        1 => Just(Action::Flush),
        1 => Just(Action::CutLargest),
        1 => (0..200_u64, 0..3_u32).prop_map(|(size, age)| Action::Update(size, age)),
    ]
}

/// Runs `actions` over `fates` from where `accumulator` stands; checks each cut as it comes and returns all of them.
fn run(accumulator: &mut Accumulator, fates: &[Fate], actions: &[Action], sealed: &[Cut]) -> Vec<Cut> {
    let mut all = sealed.to_vec();
    let (mut now_ms, mut next) = (0, usize::try_from(accumulator.open_from()).unwrap());
    let drain = [Action::Add(fates.len()), Action::Flush];
    for action in actions.iter().chain(&drain) {
        let cuts = match action {
            Action::Add(count) => {
                let end = (next + count).min(fates.len());
                let cuts = accumulator.feed(transformed(fates, next..end), now_ms);
                next = end;
                cuts
            }
            Action::Due(passed_ms) => {
                now_ms += passed_ms;
                accumulator.due(now_ms)
            }
            Action::Flush => accumulator.flush(),
            Action::CutLargest => accumulator.cut_largest().into_iter().collect(),
            Action::Update(size, age) => {
                accumulator.update(&definition(*size, *age));
                Vec::new()
            }
        };
        for cut in cuts {
            all.push(cut);
            assert_eq!(all.last().unwrap().open_from, open_from(fates, &all, next), "cut {}", all.len());
        }
        assert_eq!(accumulator.open_from(), open_from(fates, &all, next));
    }
    all
}

/// The lowest input below `next` with something in a partition that is in none of `cuts`.
fn open_from(fates: &[Fate], cuts: &[Cut], next: usize) -> Sequence {
    let sealed_to = |partition: &Partition| {
        cuts.iter().filter(|cut| cut.partition == *partition).map(|cut| cut.end).max().unwrap_or(0)
    };
    let open = |sequence: &Sequence| {
        [Partition::Main, FAILED].iter().any(|partition| {
            *sequence >= sealed_to(partition) && expected(fates, partition, *sequence..sequence + 1).1 > 0
        })
    };
    (0..next as u64).find(open).unwrap_or(next as u64)
}

/// Every record exactly once and in order, and each cut is what its range has.
fn check_conservation(fates: &[Fate], cuts: &[Cut]) -> TestCaseResult {
    for partition in [Partition::Main, FAILED] {
        let (mut bytes, mut count, mut end) = (Vec::new(), 0, 0);
        for cut in cuts.iter().filter(|cut| cut.partition == partition) {
            prop_assert!(cut.first >= end && cut.end > cut.first, "{:?} after {}", spans(cuts), end);
            let own = content_bytes(&cut.content);
            prop_assert_eq!((own.clone(), cut.record_count), expected(fates, &partition, cut.first..cut.end));
            prop_assert_eq!(cut.content_bytes, own.len() as u64);
            prop_assert_eq!(cut.oldest_arrived_ms, arrived_ms(cut.first));
            prop_assert!(expected(fates, &partition, cut.first..cut.first + 1).1 > 0, "first has nothing");
            prop_assert!(expected(fates, &partition, cut.end - 1..cut.end).1 > 0, "last has nothing");
            bytes.extend(own);
            count += cut.record_count;
            end = cut.end;
        }
        prop_assert_eq!((bytes, count), expected(fates, &partition, 0..fates.len() as u64));
    }
    Ok(())
}

/// What a recovery starts from when these cuts became durable.
fn recovered(cuts: &[Cut]) -> Accumulator {
    let marks = cuts.iter().map(|cut| (cut.partition.clone(), cut.end)).collect();
    let open_from = cuts.last().map_or(0, |cut| cut.open_from);
    Accumulator::new(STREAM, &definition(100, 1), &marks, open_from, PARTITIONS)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Row D1 for batches: whatever was cut when the crash came, the replay gives exactly the rest.
    #[test]
    fn every_output_is_in_one_cut_whatever_the_crash(
        fates in prop::collection::vec(fate(), 0..120),
        first_life in prop::collection::vec(action(), 0..25),
        second_life in prop::collection::vec(action(), 0..25),
        third_life in prop::collection::vec(action(), 0..5),
    ) {
        let cuts = run(&mut new(100, 1), &fates, &first_life, &[]);
        check_conservation(&fates, &cuts)?;
        for durable in 0..=cuts.len() {
            let sealed = &cuts[..durable];
            let replayed = run(&mut recovered(sealed), &fates, &second_life, sealed);
            check_conservation(&fates, &replayed)?;
            let again = &replayed[..usize::midpoint(durable, replayed.len())];
            check_conservation(&fates, &run(&mut recovered(again), &fates, &third_life, again))?;
        }
    }

    /// A batch exceeds the hint by less than one input's outputs.
    #[test]
    fn batches_are_close_to_the_hint(
        fates in prop::collection::vec(fate(), 1..200),
        steps in prop::collection::vec(1..50_usize, 1..20),
        size in 1..300_u64,
    ) {
        let mut accumulator = new(size, 900);
        let (mut from, mut cuts) = (0, Vec::new());
        for step in steps {
            let end = (from + step).min(fates.len());
            cuts.extend(accumulator.feed(transformed(&fates, from..end), 0));
            from = end;
        }
        for cut in cuts {
            let (last, _) = expected(&fates, &cut.partition, cut.end - 1..cut.end);
            prop_assert!(cut.content_bytes >= size);
            prop_assert!(cut.content_bytes - (last.len() as u64) < size);
        }
    }
}

fn partitioned(buffer_bytes: u64) -> Definition {
    let key = PartitionKey { source: KeySource::Plugin, name: "country".to_owned(), uses: 1 };
    let partitioning = Some(Partitioning { keys: vec![key], room_bytes: 500, event_time: None });
    Definition { partitioning, ..definition(buffer_bytes, 60) }
}

/// Inputs from `first` on, one output each, of these countries; each is 10 bytes long.
fn of_countries(first: Sequence, countries: &[&str]) -> Transformed {
    let count = u32::try_from(countries.len()).unwrap();
    let mut dictionary: Vec<String> = countries.iter().map(|&country| country.to_owned()).collect();
    dictionary.sort();
    dictionary.dedup();
    let code = |country: &&str| u32::try_from(dictionary.iter().position(|one| one == country).unwrap() + 1).unwrap();
    let codes = countries.iter().map(code).collect();
    let column = crate::record::Column { name: "country".to_owned(), dictionary: dictionary.clone(), codes };
    let payload: Vec<u8> = (0..u64::from(count)).flat_map(|at| data(first + at, 0, 10)).collect();
    let ends = (1..=count).map(|at| at * 10).collect();
    let range = usize::try_from(first).unwrap()..usize::try_from(first).unwrap() + countries.len();
    let dropped = vec![Fate::Dropped; range.end];
    Transformed {
        outputs: Records::new(payload.into(), ends, vec![column]).unwrap(),
        origins: Origins::Identity,
        ..transformed(&dropped, range)
    }
}

fn keyed(cut: &Cut) -> &str {
    match &cut.partition {
        Partition::Keyed(values) => &values[0],
        other => panic!("{other:?}"),
    }
}

/// Each partition has its own size, timer and mark; a replay takes from each input only what is not sealed.
#[test]
fn partitions_are_cut_and_replayed_apart() {
    let mut accumulator = Accumulator::new(STREAM, &partitioned(30), &BTreeMap::new(), 0, PARTITIONS);
    let cuts = accumulator.feed(of_countries(0, &["FR", "DE", "FR", "FR", "DE"]), 0);
    assert_eq!(cuts.iter().map(|cut| (keyed(cut), cut.first, cut.end)).collect::<Vec<_>>(), [("FR", 0, 4)]);
    // The second record is still open.
    assert_eq!((cuts[0].open_from, accumulator.open_from(), accumulator.active_partitions()), (1, 1, 1));
    let marks = BTreeMap::from([(cuts[0].partition.clone(), cuts[0].end)]);
    let mut replay = Accumulator::new(STREAM, &partitioned(30), &marks, 1, PARTITIONS);
    let again = replay.feed(of_countries(0, &["FR", "DE", "FR", "FR", "DE", "FR", "DE"]), 0);
    assert_eq!(again.iter().map(|cut| (keyed(cut), cut.first, cut.end)).collect::<Vec<_>>(), [("DE", 1, 7)]);
    let rest = replay.flush();
    assert_eq!(rest.iter().map(|cut| (keyed(cut), cut.first, cut.end)).collect::<Vec<_>>(), [("FR", 5, 6)]);
    assert_eq!(content_bytes(&rest[0].content), data(5, 0, 10));
}

/// A partition that would be one too many takes the place of the one that is due first; nothing is refused.
#[test]
fn partitions_make_room_for_each_other() {
    let mut accumulator = Accumulator::new(STREAM, &partitioned(1_000), &BTreeMap::new(), 0, PARTITIONS);
    assert!(accumulator.feed(of_countries(0, &["A"]), 5).is_empty());
    assert!(accumulator.feed(of_countries(1, &["B", "C"]), 10).is_empty());
    let cuts = accumulator.feed(of_countries(3, &["D", "B"]), 20);
    assert_eq!(cuts.iter().map(|cut| (keyed(cut), cut.first, cut.open_from)).collect::<Vec<_>>(), [("A", 0, 1)]);
    assert_eq!(accumulator.active_partitions(), PARTITIONS);
    // What is due is no longer active.
    assert_eq!(accumulator.due(60_010).len(), 2);
    assert_eq!(accumulator.due(60_020).len(), 1);
    assert_eq!((accumulator.active_partitions(), accumulator.open_from()), (0, 5));
}

/// Records lie by their own time; instants of one hour are one partition, and are found again by a replay.
#[test]
fn event_time_makes_partitions() {
    let key = PartitionKey { source: KeySource::Plugin, name: "country".to_owned(), uses: 0 };
    let patterns = vec!["yyyy/MM/dd".to_owned(), "HH".to_owned()];
    let event_time = Some(EventTime { key, patterns, time_zone: "Asia/Tokyo".to_owned() });
    let partitioning = Some(Partitioning { keys: Vec::new(), room_bytes: 500, event_time });
    let hourly = Definition { partitioning, ..definition(1_000, 60) };
    let mut accumulator = Accumulator::new(STREAM, &hourly, &BTreeMap::new(), 0, PARTITIONS);
    let times = ["2018-08-27T10:30:00Z", "1535364000", "2018-08-26T15:00:00Z", "1535365800000"];
    assert!(accumulator.feed(of_countries(0, &times), 0).is_empty());
    let cuts = accumulator.flush();
    let hour = |cut: &Cut| match &cut.partition {
        Partition::Keyed(values) => values.join(" "),
        other => panic!("{other:?}"),
    };
    let found: Vec<_> = cuts.iter().map(|cut| (hour(cut), cut.first, cut.end, cut.record_count)).collect();
    let expected = [("2018/08/27 00".to_owned(), 2, 3, 1), ("2018/08/27 19".to_owned(), 0, 4, 3)];
    assert_eq!(found, expected);
    let marks = BTreeMap::from([(cuts[1].partition.clone(), 2)]);
    let mut replay = Accumulator::new(STREAM, &hourly, &marks, 0, PARTITIONS);
    replay.feed(of_countries(0, &times), 0);
    let again: Vec<_> = replay.flush().iter().map(|cut| (hour(cut), cut.first, cut.record_count)).collect();
    assert_eq!(again, [("2018/08/27 00".to_owned(), 2, 1), ("2018/08/27 19".to_owned(), 3, 1)]);
}

/// What goes to files is taken where there is most of it, and no more than is asked for.
#[test]
fn the_largest_buffers_go_to_files_first() {
    let mut accumulator = Accumulator::new(STREAM, &partitioned(1 << 30), &BTreeMap::new(), 0, PARTITIONS);
    let of = |first: u64, country: &str, count: usize| of_countries(first, &vec![country; count]);
    // Capacities grow by doubling from 8 KiB on.
    accumulator.feed(of(0, "A", 10), 0);
    accumulator.feed(of(10, "B", 5_000), 0);
    accumulator.feed(of(5_010, "C", 2_000), 0);
    let named = |spills: &[Spill]| -> Vec<Partition> { spills.iter().map(|spill| spill.partition.clone()).collect() };
    let country = |name: &str| Partition::Keyed(vec![name.to_owned()]);
    let before = accumulator.bytes();
    let spills = accumulator.take_spills(1);
    assert_eq!(named(&spills), [country("B")]);
    assert!(spills[0].records.len() == 50_000 && accumulator.bytes() < before);
    spills.into_iter().for_each(|spill| accumulator.put_spill(spill));
    assert_eq!(accumulator.bytes(), before);
    let spills = accumulator.take_spills(before - 1);
    assert_eq!(named(&spills), [country("B"), country("C"), country("A")]);
    spills.into_iter().for_each(|spill| accumulator.put_spill(Spill { records: Vec::new(), ..spill }));
    assert!(accumulator.take_spills(1).is_empty());
    assert_eq!(accumulator.flush().len(), 3);
}

/// What an input has in one partition is in one object, also when its outputs for another stand between.
#[test]
fn outputs_of_one_input_stay_together_in_each_partition() {
    let mut batch = of_countries(0, &["FR", "DE", "FR", "FR"]);
    batch.inputs = 0..2;
    batch.arrived_ms.truncate(2);
    batch.origins = Origins::Inputs(vec![0, 0, 0, 1]);
    let mut accumulator = Accumulator::new(STREAM, &partitioned(15), &BTreeMap::new(), 0, PARTITIONS);
    let mut cuts = accumulator.feed(batch, 0);
    cuts.extend(accumulator.flush());
    let spans: Vec<_> = cuts.iter().map(|cut| (keyed(cut), cut.first, cut.end, cut.record_count)).collect();
    assert_eq!(spans, [("FR", 0, 1, 2), ("DE", 0, 1, 1), ("FR", 1, 2, 1)]);
}

/// A destination of rows gets them with what names them.
#[test]
fn rows_keep_their_names() {
    let target = Target::HttpEndpoint(HttpEndpoint {
        url: "https://example".to_owned(),
        access_key: Login::None,
        is_compressed: false,
        body: EndpointBody::Firehose,
        attributes: Vec::new(),
        buffering: Buffering { bytes: 10, seconds: 60 },
        retry_seconds: 300,
        backs_up_all: false,
    });
    let rowed = Definition { target, ..definition(1_000, 900) };
    let mut accumulator = Accumulator::new(STREAM, &rowed, &BTreeMap::new(), 0, PARTITIONS);
    let fates = [Fate::Outputs(vec![3, 2]), Fate::Dropped, Fate::Outputs(vec![4, 3])];
    assert!(accumulator.feed(transformed(&fates, 0..1), 0).is_empty());
    let cuts = accumulator.feed(transformed(&fates, 1..3), 0);
    let Content::Rows(rows) = &cuts[0].content else { panic!("rows") };
    assert_eq!((rows.sequences.as_slice(), rows.ordinals.as_slice()), (&[0, 0, 2, 2][..], &[0, 1, 0, 1][..]));
    assert_eq!(rows.records.record(2), data(2, 0, 4));
    assert_eq!(rows.arrived_ms, [arrived_ms(0), arrived_ms(0), arrived_ms(2), arrived_ms(2)]);
}

/// Records as they came have hints, cuts and marks of their own.
#[test]
fn the_source_is_kept_apart() {
    let mut backed_up = definition(1_000, 60);
    backed_up.source_backup =
        Some(SourceBackup { s3: S3Destination { buffer_bytes: 6, ..backed_up.s3.clone() }, delimiter: String::new() });
    let source = Records::new(Bytes::from_static(b"abcdefgh"), vec![4, 8], Vec::new()).unwrap();
    let batch = Transformed { source: Some(source), ..transformed(&[Fate::Dropped, Fate::Outputs(vec![5])], 0..2) };
    let mut accumulator = Accumulator::new(STREAM, &backed_up, &BTreeMap::new(), 0, PARTITIONS);
    let cuts = accumulator.feed(batch, 0);
    assert_eq!((cuts.len(), &cuts[0].partition, cuts[0].first, cuts[0].end), (1, &Partition::Source, 0, 2));
    assert_eq!(content_bytes(&cuts[0].content), b"abcdefgh");
    assert_eq!((cuts[0].open_from, accumulator.open_from()), (1, 1));
}

/// A hint about stored bytes lets a buffer collect what compression saves, and no other buffer.
#[test]
fn hints_may_be_about_what_is_stored() {
    let hint = 1 << 20;
    let sizing = |most_bytes| Sizing { pack: |_, part| part.len() / 8, scale: std::sync::Arc::default(), most_bytes };
    let mut definition = definition(hint, 900);
    let fates = vec![Fate::Outputs(vec![60_000]); 400];
    let cut_at = |definition: &Definition, most_bytes| {
        let accumulator = Accumulator::new(STREAM, definition, &BTreeMap::new(), 0, PARTITIONS);
        let mut accumulator = accumulator.sized_by(sizing(most_bytes));
        let cuts: Vec<_> =
            (0..40).flat_map(|at| accumulator.feed(transformed(&fates, at * 10..at * 10 + 10), 0)).collect();
        cuts.iter().map(|cut| (cut.content_bytes, cut.promised_bytes)).collect::<Vec<_>>()
    };
    let plain = cut_at(&definition, u64::MAX);
    assert!(plain.iter().all(|&(bytes, promised)| bytes < hint + 60_000 && promised.is_none()), "{plain:?}");
    definition.s3.sizes_compressed = true;
    let packed = cut_at(&definition, u64::MAX);
    let size = 8 * hint..8 * hint + 60_000;
    assert!(packed.iter().all(|&(bytes, promised)| size.contains(&bytes) && promised == Some(bytes / 8)), "{packed:?}");
    assert_eq!(packed.len(), 2);
    // Nobody collects more than memory has room for.
    let bounded = cut_at(&definition, 3 * hint);
    assert!(bounded.iter().all(|&(bytes, _)| (3 * hint..3 * hint + 60_000).contains(&bytes)), "{bounded:?}");
}

/// What finds no room is told beforehand: of the partitions that a batch brings anew, the first ones have it.
#[test]
fn inputs_beyond_the_active_partitions_are_told() {
    let mut accumulator = Accumulator::new(STREAM, &partitioned(1_000), &BTreeMap::new(), 0, PARTITIONS);
    let exceeding = |accumulator: &Accumulator, batch| accumulator.exceeding(&accumulator.route(batch));
    assert!(exceeding(&accumulator, of_countries(0, &["A", "B", "A"])).is_empty());
    assert!(accumulator.feed(of_countries(0, &["A", "B", "A"]), 5).is_empty());
    let crowd = || of_countries(3, &["B", "C", "D", "A", "E", "C", "D"]);
    assert_eq!(exceeding(&accumulator, crowd()), [5, 7, 9].into_iter().collect());
    // What is due makes room.
    assert_eq!(accumulator.due(60_005).len(), 2);
    assert_eq!(exceeding(&accumulator, crowd()), [6, 7].into_iter().collect());
    let whole = Accumulator::new(STREAM, &definition(1_000, 60), &BTreeMap::new(), 0, 0);
    assert!(exceeding(&whole, crowd()).is_empty());
}
