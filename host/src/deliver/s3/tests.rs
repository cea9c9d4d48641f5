//! S3 delivery against a server that misbehaves on command.

use std::time::Duration;

use super::*;
use crate::deliver::testing::{
    Bench, DoesNotApply, Expected, Fake, Fault, Operation, Peer, Trouble, conformance, counted, lines, object,
    patterned, stores_objects_as_they_are,
};
use crate::deliver::{Destination, Leftovers, Policy, Verdict};
use crate::record::Object;
use crate::runtime::Random;
use async_trait::async_trait;
use std::sync::Arc;

const BUCKET: &str = "bucket";
const LARGE: usize = 17 << 20;

fn settings(fake: &Fake) -> Settings {
    let mut settings = Settings::new(Endpoint::Url(fake.url()), "us-east-1");
    settings.plaintext = true;
    // So that the suites' large objects go in parts.
    settings.multipart_threshold_bytes = 16 << 20;
    settings.credentials =
        Some(Credentials { access_key_id: "id".to_owned(), secret_access_key: "secret".to_owned().into() });
    settings
}

/// Short waits: the clock is real here.
fn quick() -> Policy {
    Policy { base: Duration::from_millis(1), cap: Duration::from_millis(2) }
}

async fn rig() -> (Fake, S3) {
    let fake = Fake::start(BUCKET).await.unwrap();
    let s3 = S3::connect(settings(&fake), quick(), Arc::new(Random::seeded(1))).await.unwrap();
    (fake, s3)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_objects() {
    let (fake, s3) = rig().await;
    stores_objects_as_they_are(&s3, &fake).await.unwrap();
    assert!(fake.count(Operation::Part) > 0, "nothing was large enough for parts");
}

struct Desk(Fake, Arc<S3>);

#[async_trait(?Send)]
impl Bench for Desk {
    type Batch = Object;

    fn open(&self) -> Arc<dyn Destination> {
        Arc::clone(&self.1) as Arc<dyn Destination>
    }

    fn batch(&self, number: u32) -> Object {
        lines(BUCKET, number)
    }

    async fn misbehave(&self, trouble: Trouble, _number: u32) -> Result<Expected, DoesNotApply> {
        let (count, fault, expected) = match trouble {
            Trouble::FailBefore => (1, Fault::Cut, Expected::Retry("S3.ConnectionFailed")),
            Trouble::CutAfter => (1, Fault::ApplyThenCut, Expected::Settled),
            Trouble::RefuseAll => (usize::MAX, Fault::Answer(403, "AccessDenied"), Expected::Retry("S3.AccessDenied")),
            Trouble::RefuseLogin => {
                (usize::MAX, Fault::Answer(400, "ExpiredToken"), Expected::Retry("S3.ExpiredToken"))
            }
            Trouble::Hang => (1, Fault::Stall, Expected::NoAnswer),
            Trouble::RefuseOne(_) | Trouble::PutOffOne(_) => {
                return Err(DoesNotApply { because: "an object is stored whole or not at all" });
            }
        };
        self.0.script(Operation::Put, count, fault);
        Ok(expected)
    }

    async fn mend(&self) {
        self.0.mend();
    }

    async fn hanging(&self) {
        self.0.stalling().await;
    }

    async fn stored(&self, number: u32) -> Vec<usize> {
        let mut bodies = Vec::new();
        for key in self.0.keys().await {
            bodies.extend(self.0.read(&key).await.map(|stored| stored.body));
        }
        counted(number, bodies.iter().flat_map(|body| body.split_inclusive(|byte| *byte == b'\n')))
    }
}

/// Rows X2, X7, X8 and X15.
#[tokio::test]
async fn conformance_of_s3() {
    let (fake, s3) = rig().await;
    let report = conformance(&Desk(fake, Arc::new(s3))).await.unwrap();
    assert_eq!(report.left_out(), [Trouble::RefuseOne(1), Trouble::PutOffOne(1)]);
}

/// Row X2: every put is applied and every answer lost. Each object is stored by exactly one put.
#[tokio::test]
async fn a_lost_answer_is_found_out() {
    let (fake, s3) = rig().await;
    fake.script(Operation::Put, usize::MAX, Fault::ApplyThenCut);
    for at in 0..50 {
        let wanted = object(BUCKET, &format!("key-{at}"), &patterned(1_000 + at));
        s3.deliver(&wanted).await.unwrap();
        assert_eq!(fake.read(&wanted.seal.key).await.unwrap().body, wanted.body);
    }
    assert_eq!(fake.count(Operation::Put), 50);
    assert_eq!(fake.keys().await.len(), 50);
}

/// Row X2: what lies under the key is not ours, however similar, so it does not count as delivered.
#[tokio::test]
async fn a_strangers_object_is_no_success() {
    let (fake, s3) = rig().await;
    fake.plant("key", b"body");
    fake.script(Operation::Put, 1, Fault::Cut);
    let wanted = object(BUCKET, "key", b"body");
    s3.deliver(&wanted).await.unwrap_err();
    s3.deliver(&wanted).await.unwrap();
    assert_eq!(fake.read("key").await.unwrap().batch, Some(wanted.seal.id.to_string()));
}

/// Row X2: an older body of the same batch under the key is replaced, not taken for this one.
#[tokio::test]
async fn another_body_of_the_same_batch_is_no_success() {
    let (fake, s3) = rig().await;
    s3.deliver(&object(BUCKET, "key", b"old!")).await.unwrap();
    fake.script(Operation::Put, 1, Fault::Cut);
    let wanted = object(BUCKET, "key", b"new!");
    s3.deliver(&wanted).await.unwrap_err();
    s3.deliver(&wanted).await.unwrap();
    assert_eq!(fake.read("key").await.unwrap().body, wanted.body);
}

/// Row X2: a server in trouble may have done it.
#[tokio::test]
async fn an_error_after_success_is_found_out() {
    let (fake, s3) = rig().await;
    fake.script(Operation::Put, 1, Fault::ApplyThenAnswer(500, "InternalError"));
    s3.deliver(&object(BUCKET, "key", b"body")).await.unwrap();
    assert_eq!(fake.count(Operation::Put), 1);
}

/// Row X1: a server that never answers costs one time limit, not the stream.
#[tokio::test]
async fn a_stalled_server_times_out() {
    let fake = Fake::start(BUCKET).await.unwrap();
    fake.script(Operation::Put, 1, Fault::Stall);
    let mut settings = settings(&fake);
    settings.attempt_timeout = Duration::from_millis(300);
    let s3 = S3::connect(settings, quick(), Arc::new(Random::seeded(1))).await.unwrap();
    let error = s3.deliver(&object(BUCKET, "key", b"body")).await.unwrap_err();
    assert_eq!((error.code, error.verdict), ("S3.Timeout", Verdict::Retry(None)));
    s3.deliver(&object(BUCKET, "key", b"body")).await.unwrap();
}

/// Row X8: through the SDK, each answer becomes the code an operator can act on, and pauses when people must act.
#[tokio::test]
async fn answers_are_classified() {
    for (status, sent, code, pauses) in [
        (403, "AccessDenied", "S3.AccessDenied", true),
        (404, "NoSuchBucket", "S3.NoSuchBucket", true),
        (405, "MethodNotAllowed", "S3.MethodNotAllowed", true),
        (403, "AllAccessDisabled", "S3.AllAccessDisabled", true),
        (301, "PermanentRedirect", "S3.WrongRegion", true),
        (400, "KMS.NotFoundException", "S3.KMS.NotFoundException", true),
        (503, "SlowDown", "S3.SlowDown", false),
        (429, "TooManyRequests", "S3.SlowDown", false),
        (500, "InternalError", "S3.InternalError", false),
        (400, "ExpiredToken", "S3.ExpiredToken", false),
    ] {
        let (fake, s3) = rig().await;
        fake.script(Operation::Put, 1, Fault::Answer(status, sent));
        let error = s3.deliver(&object(BUCKET, "key", b"body")).await.unwrap_err();
        assert_eq!(error.code, code);
        let pause = pauses.then_some(classify::PEOPLE_PAUSE);
        assert_eq!(error.verdict, Verdict::Retry(pause), "{code}");
        assert!(error.text.contains("s3://bucket/key"), "{}", error.text);
        assert_eq!(fake.count(Operation::Put), 1, "the SDK must not repeat by itself");
    }
}

/// Row X4: a part that fails is sent again alone.
#[tokio::test]
async fn parts_are_repeated_one_by_one() {
    let (fake, s3) = rig().await;
    fake.script(Operation::Part, 2, Fault::Answer(503, "SlowDown"));
    fake.script(Operation::Part, 1, Fault::ApplyThenCut);
    let wanted = object(BUCKET, "key", &patterned(LARGE));
    s3.deliver(&wanted).await.unwrap();
    assert_eq!(fake.read("key").await.unwrap().body, wanted.body);
    assert_eq!((fake.count(Operation::Begin), fake.count(Operation::Part)), (1, 3 + 3));
}

/// Row X4: an upload that cannot be finished is aborted, and the next delivery begins anew.
#[tokio::test]
async fn a_failed_upload_is_aborted() {
    for fault in [Fault::Answer(403, "AccessDenied"), Fault::Answer(404, "NoSuchUpload")] {
        let (fake, s3) = rig().await;
        fake.script(Operation::Part, 1, fault);
        let wanted = object(BUCKET, "key", &patterned(LARGE));
        s3.deliver(&wanted).await.unwrap_err();
        assert_eq!((fake.unfinished(), fake.keys().await.len()), (0, 0));
        s3.deliver(&wanted).await.unwrap();
        assert_eq!(fake.read("key").await.unwrap().body, wanted.body);
    }
}

/// Row X4: a part that never succeeds ends the upload after its attempts are used up.
#[tokio::test]
async fn attempts_of_a_part_are_bounded() {
    let (fake, s3) = rig().await;
    fake.script(Operation::Part, usize::MAX, Fault::Answer(503, "SlowDown"));
    let error = s3.deliver(&object(BUCKET, "key", &patterned(LARGE))).await.unwrap_err();
    assert_eq!(error.code, "S3.SlowDown");
    assert!(fake.count(Operation::Part) <= 3 * 4);
    assert_eq!(fake.unfinished(), 0);
}

/// Row X4: a 200 that holds an error is a failure; 409 and a vanished upload begin a new one.
#[tokio::test]
async fn completing_can_fail_in_every_way() {
    for fault in [
        Fault::Answer(200, "InternalError"),
        Fault::Answer(409, "OperationAborted"),
        Fault::Answer(404, "NoSuchUpload"),
        Fault::Cut,
    ] {
        let (fake, s3) = rig().await;
        fake.script(Operation::Complete, 1, fault);
        let wanted = object(BUCKET, "key", &patterned(LARGE));
        let error = s3.deliver(&wanted).await.unwrap_err();
        assert!(matches!(error.verdict, Verdict::Retry(None)), "{error:?}");
        assert_eq!(fake.unfinished(), 0, "{fault:?}");
        s3.deliver(&wanted).await.unwrap();
        assert_eq!(fake.read("key").await.unwrap().body, wanted.body);
        assert_eq!(fake.count(Operation::Begin), 2);
    }
}

/// Rows X2 and X4: the upload was completed and only the answer was lost.
#[tokio::test]
async fn a_lost_completion_is_found_out() {
    for fault in
        [Fault::ApplyThenCut, Fault::ApplyThenAnswer(200, "InternalError"), Fault::ApplyThenAnswer(404, "NoSuchUpload")]
    {
        let (fake, s3) = rig().await;
        fake.script(Operation::Complete, 1, fault);
        let wanted = object(BUCKET, "key", &patterned(LARGE));
        s3.deliver(&wanted).await.unwrap();
        assert_eq!(fake.read("key").await.unwrap().body, wanted.body);
        assert_eq!(fake.count(Operation::Begin), 1, "{fault:?}");
    }
}

/// Row X4: what an earlier life left behind under the same key is swept; other keys are not touched.
#[tokio::test]
async fn leftovers_are_swept() {
    let (fake, s3) = rig().await;
    // Parts are sent side by side: how many of them are until the first one fails is nobody's promise.
    fake.script(Operation::Part, usize::MAX, Fault::Answer(403, "AccessDenied"));
    fake.script(Operation::Abort, 2, Fault::Answer(500, "InternalError"));
    let (wanted, other) = (object(BUCKET, "key", &patterned(LARGE)), object(BUCKET, "key-2", &patterned(LARGE)));
    s3.deliver(&wanted).await.unwrap_err();
    s3.deliver(&other).await.unwrap_err();
    assert_eq!(fake.unfinished(), 2);
    fake.mend();
    s3.deliver(&wanted).await.unwrap();
    assert_eq!(fake.unfinished(), 1);
    s3.deliver(&other).await.unwrap();
    assert_eq!(fake.unfinished(), 0);
}

/// Reference 4.4: what every request that makes an object says beside its body, whole or in parts.
#[tokio::test]
async fn keys_owners_and_types_are_sent() {
    let kms = Some("arn:aws:kms:us-east-1:123456789012:key/k".to_owned());
    for (bytes, operation) in [(100, Operation::Put), (LARGE, Operation::Begin)] {
        for (kms_key_arn, owner) in [(None, false), (kms.clone(), false), (None, true), (kms.clone(), true)] {
            let fake = Fake::start(BUCKET).await.unwrap();
            let settings = Settings { bucket_owner_full_control: owner, ..settings(&fake) };
            let s3 = S3::connect(settings, quick(), Arc::new(Random::seeded(1))).await.unwrap();
            let mut wanted = object(BUCKET, "key", &patterned(bytes));
            (wanted.kms_key_arn, wanted.content_encoding) = (kms_key_arn.clone(), Some("gzip"));
            s3.deliver(&wanted).await.unwrap();
            let sent = |name: &str| fake.header(operation, name);
            assert_eq!(sent("content-type").as_deref(), Some("application/octet-stream"));
            assert_eq!(sent("content-encoding").as_deref(), Some("gzip"));
            assert_eq!(sent("x-amz-server-side-encryption"), kms_key_arn.as_ref().map(|_| "aws:kms".to_owned()));
            assert_eq!(sent("x-amz-server-side-encryption-aws-kms-key-id"), kms_key_arn);
            assert_eq!(sent("x-amz-acl"), owner.then(|| "bucket-owner-full-control".to_owned()));
        }
    }
}

/// Row X4: what no delivery comes back for is found when it is old: of this host's names only, and never one on its way.
#[tokio::test]
async fn old_uploads_are_swept() {
    const NAME: &str = "data/orders-1-2018-08-27-10-30-00-01234567-89ab-4def-8123-456789abcdef";
    let (fake, s3) = rig().await;
    let s3 = Arc::new(s3);
    for key in [NAME, "data/somebody/else"] {
        s3.client.create_multipart_upload().bucket(BUCKET).key(key).send().await.unwrap();
    }
    // The fake says that every upload began a second after 1970 did.
    let left = |begun_before_ms| Leftovers {
        bucket: BUCKET.to_owned(),
        prefix: "data/".to_owned(),
        stream: "orders".to_owned(),
        begun_before_ms,
    };
    assert_eq!((s3.sweep(&left(1_000)).await.unwrap(), fake.unfinished()), (0, 2));
    let elsewhere = Leftovers { prefix: "errors/".to_owned(), ..left(1_001) };
    assert_eq!((s3.sweep(&elsewhere).await.unwrap(), fake.unfinished()), (0, 2));
    // One that is being sent has the same name and age.
    fake.script(Operation::Part, usize::MAX, Fault::Stall);
    let under_way = {
        let s3 = Arc::clone(&s3);
        let wanted = object(BUCKET, &format!("{NAME}.gz"), &patterned(LARGE));
        tokio::spawn(async move { s3.deliver(&wanted).await.is_ok() })
    };
    while fake.count(Operation::Part) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((s3.sweep(&left(1_001)).await.unwrap(), fake.unfinished()), (1, 2));
    // It is left behind, too, once nobody sends it.
    under_way.abort();
    assert!(under_way.await.is_err());
    assert_eq!((s3.sweep(&left(1_001)).await.unwrap(), fake.unfinished()), (1, 1));
    fake.script(Operation::ListUploads, 1, Fault::Answer(403, "AccessDenied"));
    assert_eq!(s3.sweep(&left(1_001)).await.unwrap_err().code, "S3.AccessDenied");
}

/// Row X1: a flapping server gets everything in the end, once.
#[tokio::test]
async fn a_flapping_server_gets_everything() {
    let (fake, s3) = rig().await;
    for fault in [Fault::Answer(503, "SlowDown"), Fault::Cut, Fault::ApplyThenCut, Fault::Answer(500, "InternalError")]
    {
        fake.script(Operation::Put, 5, fault);
    }
    fake.script(Operation::Head, 3, Fault::Answer(503, "SlowDown"));
    let mut codes = Vec::new();
    for at in 0..10 {
        let wanted = object(BUCKET, &format!("key-{at}"), &patterned(5_000 + at));
        // The scripted faults are 23; each attempt uses up one at least.
        for attempt in 0.. {
            assert!(attempt < 24, "{codes:?}");
            match s3.deliver(&wanted).await {
                Ok(_) => break,
                Err(error) => codes.push(error.code),
            }
        }
        assert_eq!(fake.read(&wanted.seal.key).await.unwrap().body, wanted.body);
    }
    assert_eq!(fake.keys().await.len(), 10);
    assert!(codes.contains(&"S3.SlowDown"));
}

#[tokio::test]
async fn endpoints_are_checked() {
    for (url, plaintext, refused) in [
        ("http://127.0.0.1:1", false, true),
        ("HTTP://127.0.0.1:1", false, true),
        ("ftp://127.0.0.1", true, true),
        ("127.0.0.1:1", true, true),
        ("http://127.0.0.1:1", true, false),
        ("https://127.0.0.1:1", false, false),
    ] {
        let mut settings = Settings::new(Endpoint::Url(url.to_owned()), "us-east-1");
        settings.plaintext = plaintext;
        let result = S3::connect(settings, quick(), Arc::new(Random::seeded(1))).await;
        assert_eq!(result.is_err(), refused, "{url}");
    }
}
