//! `sigproof list`: the cases, setups, windows, models and notes of the registries.

use std::fmt::Write;

use comfy_table::{LineStyle, Table, TableStyle};
use serde_json::{Value, json};
use sigproof_casebook::REGISTRY;
use sigproof_harness::case::Case;
use sigproof_harness::inject::Delivery;
use sigproof_harness::setup::Setup;
use sigproof_osnote::{Backend, Platform};

use crate::args::{ListArgs, ListFormat};
use crate::session::{Concluded, Session};
use crate::table;

/// The name and version of the list's schema.
const SCHEMA: &str = "sigproof.list/1";

const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('-').junction(' '));

/// The verbs for code that is in no registry.
const FOREIGN: &str = "
Code of your own:
  {program} explain PID            why a running process hangs
  {program} explain -- COMMAND     runs a command, and says why it hangs
  {program} explain --core FILE    why the process of a core file hung
  {program} explain --stacks FILE  who stands in a handler, and what for, by the stacks in a bug report
  {program} probe --signal SIGTERM --at FUNCTION -- COMMAND
                                   a signal at every instruction of a function of any program
  {program} validate ./LIBRARY.so  a wake-up primitive or a window of yours, over the C ABI of sigproof.h
";

/// Runs the verb.
pub fn run(args: &ListArgs, session: &mut Session<'_>) -> Concluded {
    let told = session.out.say(&match args.format {
        ListFormat::Text => session.tool.program.named(&(text() + FOREIGN)),
        ListFormat::Json => format!("{:#}\n", as_json()),
    });
    Ok(told.into())
}

fn text() -> String {
    let mut text = String::from("Cases, with their setups and what is expected of each:\n");
    for case in REGISTRY.shown() {
        let _ = writeln!(text, "\n{}\n  {}", case.name(), case.summary());
        for link in case.upstream() {
            let _ = writeln!(text, "  {link}");
        }
        let platforms = on(case.platforms());
        let setups = REGISTRY.setups_of(case);
        let windows: usize = setups.iter().map(|setup| case.windows(setup).len()).sum();
        let _ = writeln!(text, "  platforms: {platforms}\n  windows: {windows}");
        let titles: Vec<String> = setups.iter().map(|setup| setup.id(case.name()).setup()).collect();
        let wide = titles.iter().map(String::len).max().unwrap_or(0);
        for (title, setup) in titles.iter().zip(&setups) {
            let _ = writeln!(text, "    {title:wide$}  {}", table::expected(&setup.expected));
        }
    }
    text += "\nModels: all setups above, and these of the core:\n\n";
    let models =
        REGISTRY.models().into_iter().filter(|entry| !entry.hidden).map(|entry| (entry.name, entry.id().setup()));
    text += &of_core(models);
    text += "\nWindows: those of the cases above, and these of the core:\n\n";
    let windows = REGISTRY.windows().into_iter();
    text += &of_core(windows.map(|entry| (entry.name, format!("{}@{}", entry.id().setup(), entry.window.name))));
    let _ = writeln!(text, "\nNotes (--note):\n\n{}", notes());
    for backend in REGISTRY.notes().iter() {
        let _ = writeln!(text, "{}: {}\n  wake-up in a handler: {}", backend.name, backend.summary, backend.why);
    }
    let _ = writeln!(text, "\nDeliveries (--delivery), the sharpest first:");
    for delivery in Delivery::ALL {
        let here = if delivery.available() { "" } else { " (not on this platform)" };
        let _ = writeln!(text, "  {delivery:<13} {}{here}", delivery.summary());
    }
    let _ = writeln!(text, "\nThis platform: {}, {}", Platform::current(), std::env::consts::ARCH);
    text
}

/// Those that belong to no case, each name with what there is of it.
fn of_core(all: impl Iterator<Item = (&'static str, String)>) -> String {
    let mut found: Vec<(&str, Vec<String>)> = Vec::new();
    for (name, what) in all.filter(|(name, _)| REGISTRY.find(name).is_none()) {
        match found.last_mut() {
            Some((last, of_it)) if *last == name => of_it.push(what),
            _ => found.push((name, vec![what])),
        }
    }
    found.iter().map(|(name, of_it)| format!("{name}\n    {}\n", of_it.join(", "))).collect()
}

/// The notes as a table.
fn notes() -> String {
    let mut table = Table::new();
    let header = ["note", "wake-up in a handler", "timed sleep", "instances", "platforms", "here"];
    table.load_style(STYLE).force_no_tty().set_header(header);
    for backend in REGISTRY.notes().iter() {
        table.add_row([
            backend.name.to_owned(),
            backend.wakeup.to_string(),
            yes(backend.timed_sleep),
            backend.instances.to_string(),
            on(backend.platforms),
            yes(here(backend)),
        ]);
    }
    table.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

fn yes(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

fn on(platforms: &[Platform]) -> String {
    platforms.iter().map(Platform::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether this platform has it.
fn here(backend: &Backend) -> bool {
    backend.platforms.contains(&Platform::current())
}

/// The names of a setup's windows.
fn windows(case: &dyn Case, setup: &Setup) -> Vec<&'static str> {
    case.windows(setup).iter().map(|window| window.name).collect()
}

fn as_json() -> Value {
    let names = |platforms: &[Platform]| platforms.iter().map(Platform::to_string).collect::<Vec<_>>();
    let cases = REGISTRY.shown().map(|case| {
        let setups = REGISTRY.setups_of(case).into_iter().map(|setup| {
            json!({
                "variant": setup.variant,
                "flavour": setup.flavour,
                "note": setup.note_name(),
                "mode": setup.mode,
                "expected": setup.expected,
                "windows": windows(case, &setup),
            })
        });
        json!({
            "name": case.name(),
            "summary": case.summary(),
            "upstream": case.upstream(),
            "platforms": names(case.platforms()),
            "setups": setups.collect::<Vec<_>>(),
        })
    });
    let notes = REGISTRY.notes().iter().map(|backend| {
        json!({
            "name": backend.name,
            "summary": backend.summary,
            "wakeup_async_signal_safe": backend.wakeup == sigproof_osnote::SignalSafety::Safe,
            "why": backend.why,
            "timed_sleep": backend.timed_sleep,
            "instances": backend.instances.as_str(),
            "platforms": names(backend.platforms),
            "here": here(backend),
        })
    });
    let models = REGISTRY.models().into_iter().filter(|entry| !entry.hidden).map(|entry| {
        let depth = entry.depth();
        json!({
            "name": entry.name,
            "label": entry.label(),
            "variant": entry.setup.variant,
            "flavour": entry.setup.flavour,
            "note": entry.setup.note_name(),
            "mode": entry.setup.mode,
            "expected": entry.expected(),
            "deliveries": depth.deliveries,
            "preemptions": depth.preemptions,
        })
    });
    let windows = REGISTRY.windows().into_iter().filter(|entry| !entry.hidden).map(|entry| {
        json!({
            "name": entry.name,
            "label": entry.label(),
            "window": entry.window.name,
            "variant": entry.setup.variant,
            "flavour": entry.setup.flavour,
            "note": entry.setup.note_name(),
            "mode": entry.setup.mode,
            "expected": entry.expected(),
        })
    });
    let deliveries = Delivery::ALL.iter().map(
        |delivery| json!({"name": delivery.as_str(), "summary": delivery.summary(), "here": delivery.available()}),
    );
    json!({
        "schema": SCHEMA,
        "platform": Platform::current().as_str(),
        "arch": std::env::consts::ARCH,
        "cases": cases.collect::<Vec<_>>(),
        "models": models.collect::<Vec<_>>(),
        "windows": windows.collect::<Vec<_>>(),
        "notes": notes.collect::<Vec<_>>(),
        "deliveries": deliveries.collect::<Vec<_>>(),
    })
}
