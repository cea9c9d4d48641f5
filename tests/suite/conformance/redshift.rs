//! PostgreSQL behind the stand-in for Redshift.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use hydrant::definition::Login;
use hydrant::deliver::Destination;
use hydrant::deliver::Secrets;
use hydrant::deliver::testing::{Bench, DoesNotApply, Expected, RECORDS, Trouble, conformance, id, lines};
use hydrant::record::Object;
use hydrant_tests::peers::redshift::Cut;
use hydrant_tests::wait::until;
use tempfile::TempDir;

use crate::redshift::{BUCKET, LIMIT, Rig, destination};

struct Desk {
    rig: Rig,
    secrets: TempDir,
    password: AtomicUsize,
}

impl Desk {
    async fn new() -> Self {
        let (rig, secrets) = (Rig::start().await, tempfile::tempdir().unwrap());
        let desk = Self { rig, secrets, password: AtomicUsize::new(0) };
        // Not the user that looks: this one's password changes.
        desk.sql("CREATE USER rotated PASSWORD 'password-0'");
        desk.sql("GRANT ALL ON orders TO rotated; GRANT CREATE ON SCHEMA public TO rotated");
        desk.show();
        desk
    }

    /// Writes the password of the moment where the destination finds it.
    fn show(&self) {
        let password = format!("password-{}", self.password.load(Ordering::SeqCst));
        let text = format!(r#"{{"username":"rotated","password":"{password}"}}"#);
        std::fs::write(self.secrets.path().join("cluster.json"), text).unwrap();
    }

    fn sql(&self, text: &str) -> Vec<String> {
        self.rig.cluster.postgres.sql(text)
    }
}

#[async_trait(?Send)]
impl Bench for Desk {
    type Batch = Object;

    fn open(&self) -> Arc<dyn Destination> {
        let mut settings = self.rig.settings();
        let arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:cluster";
        settings.redshift.login = Login::Stored(arn.to_owned());
        let secrets = Secrets::new(Some(self.secrets.path().to_owned()));
        Arc::new(destination(settings, Arc::clone(&self.rig.staging) as Arc<dyn Destination>, secrets))
    }

    fn batch(&self, number: u32) -> Object {
        lines(BUCKET, number)
    }

    async fn misbehave(&self, trouble: Trouble, _number: u32) -> Result<Expected, DoesNotApply> {
        let code = match trouble {
            Trouble::FailBefore => {
                self.rig.cluster.cut(Cut::BeforeCommit);
                "Redshift.ConnectionFailed"
            }
            Trouble::CutAfter => {
                self.rig.cluster.cut(Cut::AfterCommit);
                "Redshift.ConnectionFailed"
            }
            Trouble::RefuseAll => {
                self.sql("ALTER TABLE orders RENAME TO elsewhere; CREATE TABLE orders (id integer, item varchar(2))");
                self.sql("GRANT ALL ON orders TO rotated");
                "Redshift.DataLoadFailed"
            }
            Trouble::RefuseLogin => {
                let next = self.password.fetch_add(1, Ordering::SeqCst) + 1;
                self.sql(&format!("ALTER USER rotated PASSWORD 'password-{next}'"));
                "Redshift.AuthenticationFailed"
            }
            Trouble::Hang => {
                self.rig.cluster.hold_copies(true);
                return Ok(Expected::NoAnswer);
            }
            Trouble::RefuseOne(_) | Trouble::PutOffOne(_) => {
                return Err(DoesNotApply { because: "a COPY loads every row of its objects, or none" });
            }
        };
        Ok(Expected::Retry(code))
    }

    async fn mend(&self) {
        self.rig.cluster.hold_copies(false);
        if self.sql("SELECT to_regclass('elsewhere')") == ["elsewhere"] {
            self.sql("DROP TABLE orders; ALTER TABLE elsewhere RENAME TO orders");
        }
        self.show();
    }

    async fn hanging(&self) {
        let copies = self.rig.cluster.copies().len();
        let held = async || (self.rig.cluster.copies().len() > copies).then_some(());
        until("a COPY that is held", LIMIT, held).await.unwrap();
    }

    async fn stored(&self, number: u32) -> Vec<usize> {
        let count = |at: usize| {
            let found = self.sql(&format!("SELECT count(*) FROM orders WHERE id = {}", id(number, at)));
            found[0].parse().unwrap()
        };
        (0..RECORDS).map(count).collect()
    }
}

/// Line 11 of the deliveries; rows X2, X6, X7, X8 and X15.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conformance_of_redshift_on_postgresql() {
    let desk = Desk::new().await;
    let report = conformance(&desk).await.unwrap();
    assert_eq!(report.left_out(), [Trouble::RefuseOne(1), Trouble::PutOffOne(1)]);
    // One ledger row for each batch whose rows are there.
    let batches = desk.sql("SELECT count(*) FROM orders")[0].parse::<usize>().unwrap() / RECORDS;
    assert_eq!(desk.rig.ledger().len(), batches);
}
