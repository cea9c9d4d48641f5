//! `hydrant dead-letter list` and `show`. Refuses to print a record's bytes unless it is asked to.

use serde_json::json;

use super::super::console::{bytes, count, table};
use super::super::{Console, Failure};
use super::arguments::{List, Show};
use super::foreign::{Buckets, Opened};
use super::host::question;
use crate::dead_letter::{Filter, MANIFESTS, Reading, Stage, Summary};
use crate::deliver::Stored;
use crate::pipeline::{Cursor, Found, Page, Shown, Wish};

/// Lists objects.
pub(super) async fn list<B: Buckets>(console: &Console, asked: &List) -> Result<(), Failure> {
    let found = match Opened::open::<B>(&asked.foreign).await? {
        Some(bucket) => list_foreign(&bucket, asked).await?,
        None => list_stream(asked).await?,
    };
    if console.is_json() {
        return console
            .say_json(&json!({ "bucket": found.bucket, "objects": found.objects, "more": found.next.is_some() }));
    }
    if found.objects.is_empty() {
        console.note("no failures");
        return Ok(());
    }
    let mut rows = vec![["TIME", "STAGE", "RECORDS", "REPLAYED", "CODES", "OBJECT"].map(str::to_owned)];
    rows.extend(found.objects.iter().map(row));
    console.say(&table(&rows))?;
    for object in &found.objects {
        if object.unreadable > 0 {
            console.note(&format!("{}: {} lines are no failures", object.key, count(object.unreadable)));
        }
        if let Some(error) = &object.error {
            console.note(&format!("{}: {error}", object.key));
        }
        if object.stage == MANIFESTS.as_str() {
            console
                .note(&format!("{}: a manifest that Redshift did not load; its objects are in the bucket", object.key));
        }
    }
    if found.next.is_some() {
        console.note("there are more; ask for them with --limit, or for fewer with --since, --stage or --code");
    }
    Ok(())
}

fn row(object: &Summary) -> [String; 6] {
    let codes: Vec<String> = object.codes.iter().map(|(code, records)| format!("{code} {}", count(*records))).collect();
    [
        time(Some(object.modified_ms)),
        object.stage.clone(),
        count(object.records),
        count(object.replayed),
        codes.join(", "),
        object.key.clone(),
    ]
}

async fn list_stream(asked: &List) -> Result<Found, Failure> {
    let stream = asked.stream.clone().unwrap_or_default();
    let filter = asked.choice.filter();
    let mut wish = Wish { account: asked.at.account.clone(), filter, limit: Some(asked.limit), ..Wish::default() };
    let mut all = Found::default();
    loop {
        let found: Found = question(&asked.at, &stream, "list", &wish).await?;
        all.bucket = found.bucket;
        all.objects.extend(found.objects);
        all.next = found.next;
        let left = (asked.limit as usize).saturating_sub(all.objects.len());
        match &all.next {
            Some(next) if left > 0 => {
                wish.cursor = next.clone();
                wish.limit = u32::try_from(left).ok();
            }
            _ => return Ok(all),
        }
    }
}

async fn list_foreign(bucket: &Opened, asked: &List) -> Result<Found, Failure> {
    let filter = asked.choice.filter();
    let mut objects = bucket.objects(&filter)?;
    let mut found = Found { bucket: bucket.bucket.clone(), ..Found::default() };
    while let Some((object, stage)) = bucket.next(&mut objects).await? {
        if found.objects.len() >= asked.limit as usize {
            found.next = Some(Cursor::default());
            break;
        }
        let summary = count_foreign(bucket, &object, stage, &filter).await;
        if summary.records > 0 || summary.unreadable > 0 || summary.error.is_some() || stage == MANIFESTS {
            found.objects.push(summary);
        }
    }
    Ok(found)
}

async fn count_foreign(bucket: &Opened, object: &Stored, stage: Stage, filter: &Filter) -> Summary {
    let mut summary = Summary::new(object, stage);
    if stage == MANIFESTS {
        return summary;
    }
    let mut reading = Reading::start(bucket.look.clone(), &bucket.bucket, object, 0);
    loop {
        match reading.next().await {
            Ok(None) => return summary,
            Ok(Some(lines)) => {
                for line in lines {
                    match line.failure {
                        Ok(failure) if filter.takes(&failure, object) => summary.add(&failure, false),
                        Ok(_) => {}
                        Err(_) => summary.unreadable += 1,
                    }
                }
            }
            Err(error) => {
                summary.error = Some(format!("{:#}", anyhow::Error::from(error)));
                return summary;
            }
        }
    }
}

/// Shows lines of an object, or the bytes of one record.
pub(super) async fn show<B: Buckets>(console: &Console, asked: &Show) -> Result<(), Failure> {
    let most = if asked.raw { 1 } else { asked.limit };
    let page = match (Opened::open::<B>(&asked.foreign).await?, asked.names.as_slice()) {
        (Some(bucket), [key]) => show_foreign(&bucket, key, asked, most).await?,
        (None, [stream, key]) => show_stream(stream, key, asked, most).await?,
        (Some(_), _) => return Err(Failure::told("a bucket's object is named by its key alone").hint(SHOW)),
        (None, _) => return Err(Failure::told("an object is named by its stream and its key").hint(SHOW)),
    };
    if asked.raw {
        let shown = page.lines.first().filter(|shown| shown.line == asked.line);
        let missing = || Failure::told(format!("line {} holds no failure", asked.line)).hint("show it without --raw");
        let failure = shown.and_then(|shown| shown.failure.as_ref()).ok_or_else(missing)?;
        return console.write(&failure.data);
    }
    if console.is_json() {
        return console.say_json(&json!({ "stage": page.stage, "lines": page.lines, "more": page.next.is_some() }));
    }
    if page.lines.is_empty() {
        console.note("no failures");
    }
    page.lines.iter().try_for_each(|shown| console.say(&said(shown)))?;
    if let Some(next) = page.next {
        console.note(&format!("there may be more; go on with --line {}", next.line));
    }
    Ok(())
}

const SHOW: &str = "hydrant dead-letter show STREAM OBJECT, or hydrant dead-letter show --bucket BUCKET OBJECT";

/// A failure in a few lines.
fn said(shown: &Shown) -> String {
    let Some(failure) = &shown.failure else {
        return format!("line {}: {}", shown.line, shown.error.as_deref().unwrap_or("nothing"));
    };
    let mut text = format!("line {}: {} at {}", shown.line, failure.code, time(failure.at_ms()));
    if shown.replayed {
        text.push_str(", replayed");
    }
    text.push_str(&format!("\n  {}", failure.message));
    let mut member = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            text.push_str(&format!("\n  {name}: {value}"));
        }
    };
    member("plugin", failure.plugin_name.as_deref());
    member("digest", failure.plugin_digest.as_deref());
    member("document", failure.document_id.as_deref());
    member("index", failure.index.as_deref());
    member("attempts", failure.attempts.map(|attempts| attempts.to_string()).as_deref());
    member("arrived", failure.arrived_ms.map(|arrived| time(Some(arrived))).as_deref());
    member("record", Some(&format!("{}; --line {} --raw writes it", bytes(failure.data.len() as u64), shown.line)));
    text
}

async fn show_stream(stream: &str, key: &str, asked: &Show, most: u32) -> Result<Page, Failure> {
    let mut wish = Wish {
        account: asked.at.account.clone(),
        filter: asked.choice.filter(),
        object: Some(key.to_owned()),
        cursor: Cursor { line: asked.line, ..Cursor::default() },
        limit: Some(most),
        dry_run: false,
    };
    let mut all = Page::default();
    loop {
        let page: Page = question(&asked.at, stream, "show", &wish).await?;
        (all.bucket, all.stage, all.next) = (page.bucket, page.stage, page.next);
        all.lines.extend(page.lines);
        let left = (most as usize).saturating_sub(all.lines.len());
        match &all.next {
            Some(next) if left > 0 => {
                wish.cursor = next.clone();
                wish.limit = u32::try_from(left).ok();
            }
            _ => return Ok(all),
        }
    }
}

async fn show_foreign(bucket: &Opened, key: &str, asked: &Show, most: u32) -> Result<Page, Failure> {
    let filter = asked.choice.filter();
    let (object, stage) = bucket.object(key).await?;
    let stage = stage.as_str().to_owned();
    let mut page = Page { bucket: bucket.bucket.clone(), stage, ..Page::default() };
    let mut reading = Reading::start(bucket.look.clone(), &bucket.bucket, &object, asked.line);
    while let Some(lines) = reading.next().await.map_err(Failure::new)? {
        for line in lines {
            if page.lines.len() >= most as usize {
                page.next = Some(Cursor { line: line.at, ..Cursor::default() });
                return Ok(page);
            }
            let (failure, error) = match line.failure {
                Ok(failure) if !filter.takes(&failure, &object) => continue,
                Ok(failure) => (Some(failure), None),
                Err(error) => (None, Some(error.to_string())),
            };
            page.lines.push(Shown { line: line.at, replayed: false, failure, error });
        }
    }
    Ok(page)
}

/// An instant for people.
fn time(at_ms: Option<u64>) -> String {
    let at = at_ms.and_then(|at| i64::try_from(at).ok()).and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    at.map_or_else(|| "-".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}
