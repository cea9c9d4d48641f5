//! What can go wrong has a name, and what is configured is obeyed.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use hydrant::definition::{Login, Redshift as Target, Secret};
use hydrant::deliver::Destination;
use hydrant::deliver::redshift::RedshiftDestination;
use hydrant::record::Seal;
use hydrant_tests::peers::{PASSWORD, Postgres, USER};
use hydrant_tests::wait::until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::rig::{BUCKET, HOST, LEDGER, LIMIT, Rig, batch, failed, row, settings};

/// A user who may not create tables loads into a ledger that somebody else made.
#[tokio::test]
async fn a_user_without_the_right_to_create_can_load() {
    let rig = Rig::start().await;
    rig.cluster.postgres.sql("CREATE USER guest PASSWORD 'guest-password'; GRANT INSERT, SELECT ON orders TO guest");
    let mut settings = rig.settings();
    settings.redshift.login = Login::Given { user: "guest".to_owned(), secret: Secret::new("guest-password") };
    let guest = rig.with(settings);
    let said = failed(guest.deliver(&batch(1, row(1))).await, "Redshift.InsufficientPrivilege");
    assert!(said.contains("hydrant_ledger"), "{said}");
    rig.destination().deliver(&batch(2, row(2))).await.unwrap();
    rig.cluster.postgres.sql(&format!("GRANT ALL ON {LEDGER} TO guest"));
    guest.deliver(&batch(1, row(1))).await.unwrap();
    assert_eq!(rig.rows().len(), 2);
}

/// A server that wants Redshift's own digest is named as such, one that says nothing is not waited for without end.
#[tokio::test]
async fn servers_that_cannot_be_talked_to_are_told_apart() {
    let rig = Rig::start().await;
    // `AuthenticationDigest`, 13, and what belongs to it.
    let digest: &[u8] = b"N\x52\x00\x00\x00\x0c\x00\x00\x00\x0d\x00\x00\x00\x00";
    for (answer, code) in [(digest, "Redshift.AuthenticationFailed"), (b"N", "Redshift.Timeout")] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut settings = settings(listener.local_addr().unwrap().port(), rig.cluster.role());
        if code == "Redshift.Timeout" {
            settings.connect_timeout = Duration::from_millis(50);
        }
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.write_all(answer).await.unwrap();
            // Until the client hangs up.
            let mut heard = Vec::new();
            socket.read_to_end(&mut heard).await
        });
        failed(rig.with(settings).deliver(&batch(1, row(1))).await, code);
        server.abort();
    }
}

/// A COPY is all or nothing, and what is said about a bad row does not quote it.
#[tokio::test]
async fn a_bad_row_fails_the_whole_copy() {
    let rig = Rig::start().await;
    let (destination, object) = (rig.destination(), batch(1, row(1) + r#"{"id":"secret-payload"}"#));
    let said = failed(destination.deliver(&object).await, "Redshift.DataLoadFailed");
    assert!(!said.contains("secret-payload") && said.contains("STL_LOAD_ERRORS"), "{said}");
    assert_eq!(rig.rows(), Vec::<String>::new());
    assert_eq!(rig.ledger(), Vec::<String>::new());
}

/// Rows X6 and X8: what an operator has to repair is named, and repaired without a restart.
#[tokio::test]
async fn failures_have_firehoses_codes() {
    let rig = Rig::start().await;
    let object = batch(1, row(1));
    let change = |change: &dyn Fn(&mut Target)| {
        let mut settings = rig.settings();
        change(&mut settings.redshift);
        rig.with(settings)
    };
    let wrong = Login::Given { user: USER.to_owned(), secret: Secret::new("wrong-password") };
    let cases: [(&str, RedshiftDestination); 9] = [
        ("Redshift.AuthenticationFailed", change(&|target| target.login = wrong.clone())),
        ("Redshift.DatabaseNotFound", change(&|target| target.database = "nowhere".to_owned())),
        ("Redshift.TableNotFound", change(&|target| target.table = "public.missing".to_owned())),
        ("Redshift.TableNotFound", change(&|target| target.table = "missing.orders".to_owned())),
        ("Redshift.ColumnNotFound", change(&|target| target.columns = "id, price".to_owned())),
        ("Redshift.SyntaxError", change(&|target| target.copy_options = "jsn 'auto'".to_owned())),
        ("Redshift.IncorrectCopyOptions", change(&|target| target.copy_options = "delimiter '||'".to_owned())),
        ("Redshift.AccessDenied", change(&|target| target.role_arn = "arn:aws:iam::1:role/other".to_owned())),
        ("Redshift.ConnectionFailed", change(&|target| target.host = "127.0.0.2".to_owned())),
    ];
    for (code, destination) in cases {
        let said = failed(destination.deliver(&object).await, code);
        assert!(!said.contains("wrong-password") && !said.contains(PASSWORD), "{said}");
    }
    // No permission to write without encryption to a cluster that has none.
    let mut settings = rig.settings();
    settings.plaintext = false;
    failed(rig.with(settings).deliver(&object).await, "Redshift.ConnectionFailed");
    rig.cluster.postgres.sql("ALTER TABLE orders ADD COLUMN price integer NOT NULL");
    failed(rig.destination().deliver(&object).await, "Redshift.MissingColumn");
    rig.cluster.postgres.sql("ALTER TABLE orders DROP COLUMN price");
    rig.destination().deliver(&object).await.unwrap();
    assert_eq!(rig.rows(), ["1|it's no. 1"]);
}

/// An object that somebody removed is missed, not passed over.
#[tokio::test]
async fn a_staged_object_that_is_gone_is_missed() {
    let rig = Rig::start().await;
    let (destination, object) = (rig.destination(), batch(1, row(1)));
    rig.cluster.hold_copies(true);
    let shared = Arc::new(destination);
    let delivery = tokio::spawn({
        let (destination, object) = (Arc::clone(&shared), object.clone());
        async move { destination.deliver(&object).await }
    });
    until("the COPY", LIMIT, async || (rig.cluster.copies().len() == 1).then_some(())).await.unwrap();
    rig.reader.client.delete_object().bucket(BUCKET).key(&object.seal.key).send().await.unwrap();
    rig.cluster.hold_copies(false);
    failed(delivery.await.unwrap(), "Redshift.MissingS3File");
    assert_eq!(rig.ledger(), Vec::<String>::new());
    shared.deliver(&object).await.unwrap();
    assert_eq!(rig.rows().len(), 1);
}

/// Staging that fails says so itself: no batch is skipped because S3 is away.
#[tokio::test]
async fn failures_of_staging_keep_their_own_name() {
    let rig = Rig::start().await;
    let mut object = batch(1, row(1));
    object.seal = Arc::new(Seal { bucket: "elsewhere".to_owned(), ..object.seal.as_ref().clone() });
    assert_eq!(rig.destination().deliver(&object).await.unwrap_err().code, "S3.NoSuchBucket");
    let mut settings = rig.settings();
    settings.staging.bucket = "elsewhere".to_owned();
    // Now the object can be stored, and its manifest cannot.
    assert_eq!(rig.with(settings).deliver(&batch(1, row(1))).await.unwrap_err().code, "S3.NoSuchBucket");
    assert_eq!((rig.rows().len(), rig.cluster.copies().len()), (0, 0));
}

/// The formats that are loaded most.
#[tokio::test]
async fn formats_and_columns_are_the_options_own() {
    let rig = Rig::start().await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(row(4).as_bytes()).unwrap();
    let cases: [(&str, &str, Vec<u8>); 4] = [
        ("", "csv ignoreheader 1", b"id,item\n1,\"a, b\"\n".to_vec()),
        ("item, id", "delimiter '|'", b"c:\\d|2\n".to_vec()),
        ("\"id\",item", "csv delimiter ';' compupdate off", b"3;e\n".to_vec()),
        ("", "json 'auto' gzip", gzip.finish().unwrap()),
    ];
    for (at, (columns, options, body)) in cases.into_iter().enumerate() {
        let mut settings = rig.settings();
        (settings.redshift.columns, settings.redshift.copy_options) = (columns.to_owned(), options.to_owned());
        rig.with(settings).deliver(&batch(at as u128, body)).await.unwrap();
    }
    assert_eq!(rig.rows(), ["1|a, b", "2|c:\\d", "3|e", "4|it's no. 4"]);
    assert!(rig.cluster.copies()[1].starts_with("COPY orders (item, id) FROM "));
}

/// A server with TLS, a certificate that is trusted or not, and SCRAM; it has no COPY from S3, so being told that is
/// being logged in.
#[tokio::test]
async fn logins_go_over_tls_to_a_server_that_is_trusted() {
    let rig = Rig::start().await;
    let server = Postgres::with_tls(HOST);
    server.sql("CREATE TABLE orders (id integer)");
    let mut settings = settings(server.port, rig.cluster.role());
    settings.plaintext = false;
    let object = batch(1, row(1));
    failed(rig.with(settings.clone()).deliver(&object).await, "Redshift.ConnectionFailed");
    settings.ca_pem = Some(server.certificate());
    failed(rig.with(settings.clone()).deliver(&object).await, "Redshift.SyntaxError");
    // The certificate is for another name.
    settings.redshift.host = "127.0.0.1".to_owned();
    failed(rig.with(settings).deliver(&object).await, "Redshift.ConnectionFailed");
    assert_eq!(server.sql(&format!("SELECT count(*) FROM {LEDGER}")), ["0"]);
}
