//! The figures as one page of HTML, which needs no other file and asks no server.

use std::fmt::Write as _;

use super::machine::Machine;
use super::plan::{Way, Work};
use super::report::{cost_cells, grouped, heading, time, times};
use super::results::Results;

/// The style: light or dark as the reader has it, and as wide as the screen.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c1f23;--paper:#fff;--quiet:#5b636d;--line:#d6dade;\
--flatrec:#0a6ebd;--other:#9aa3ad}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8ea;--paper:#15181b;--quiet:#9aa3ad;\
--line:#353b41;--flatrec:#58aef0;--other:#69727b}}
body{font:16px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);\
max-width:60rem;margin:0 auto;padding:1rem}
h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .25rem}
p{margin:.25rem 0}.quiet{color:var(--quiet)}
.row{display:grid;grid-template-columns:8.5rem 1fr 5.5rem;gap:.5rem;align-items:center;\
margin:.2rem 0}
.track{position:relative;height:1.1rem;background:linear-gradient(var(--line),var(--line)) \
left var(--one) top 0/1px 100% no-repeat}
.bar{height:100%;background:var(--other);border-radius:0 3px 3px 0;min-width:2px}
.own .bar{background:var(--flatrec)}.own .name{font-weight:600}
.value{text-align:right;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem}
th,td{padding:.2rem .6rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line);\
font-variant-numeric:tabular-nums}
th:nth-child(-n+2),td:nth-child(-n+2){text-align:left}
@media(max-width:30rem){.row{grid-template-columns:6.8rem 1fr 4.2rem;font-size:.9rem}}";

/// The whole page.
pub(super) fn html(results: &Results, machine: &Machine) -> String {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _ = write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>flatrec bench</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n\
         <h1>flatrec beside a raw map and system calls</h1>\n<p>{}</p>\n\
         <p class=\"quiet\">{}, flatrec {}</p>\n\
         <p>The bars say how many times as long as the raw map a way takes: shorter is better. The \
         line is the raw map, and each step of ten times is as long as the next.</p>\n",
        escaped(&heading(results)),
        escaped(&machine.line()),
        env!("CARGO_PKG_VERSION"),
    );
    let scale = Scale::of(results);
    for work in results.works() {
        plot(&mut page, results, work, &scale);
    }
    table(&mut page, results);
    for (work, why) in results.left_out() {
        let _ = writeln!(
            page,
            "<p class=\"quiet\">Not measured: {}: {}</p>",
            escaped(work.title()),
            escaped(why)
        );
    }
    page.push_str("</body>\n</html>\n");
    page
}

/// The logarithmic scale of all bars.
struct Scale {
    least: f64,
    greatest: f64,
}

impl Scale {
    fn of(results: &Results) -> Self {
        let ratios = results
            .works()
            .flat_map(|work| work.ways().iter().filter_map(move |way| results.ratio(work, *way)));
        let start = Self { least: 0.5, greatest: 10.0 };
        ratios.fold(start, |scale, ratio| Self {
            least: scale.least.min(ratio / 2.0),
            greatest: scale.greatest.max(ratio),
        })
    }

    /// How far a ratio is from the left, in per cent.
    fn place(&self, ratio: f64) -> f64 {
        100.0 * (ratio / self.least).ln() / (self.greatest / self.least).ln()
    }
}

fn plot(page: &mut String, results: &Results, work: Work, scale: &Scale) {
    let limit = results.per_operation_ns(work, Way::Map);
    let count = results.operations(work, Way::Map).unwrap_or_default();
    let _ = writeln!(
        page,
        "<h2>{}</h2>\n<p class=\"quiet\">raw map: {} {}, {} of them</p>",
        escaped(work.title()),
        limit.map_or_else(String::new, |limit| time(limit.median)),
        work.operation(),
        grouped(count as u64),
    );
    for &way in work.ways() {
        let Some(ratio) = results.ratio(work, way) else { continue };
        let own = if matches!(way, Way::Store | Way::Database) { " own" } else { "" };
        let _ = writeln!(
            page,
            "<div class=\"row{own}\"><span class=\"name\">{}</span><div class=\"track\" \
             style=\"--one:{:.2}%\"><div class=\"bar\" style=\"width:{:.2}%\"></div></div>\
             <span class=\"value\">{}</span></div>",
            escaped(way.title()),
            scale.place(1.0),
            scale.place(ratio),
            times(ratio),
        );
    }
}

fn table(page: &mut String, results: &Results) {
    page.push_str(
        "<h2>All figures</h2>\n<p class=\"quiet\">Times of an operation: the median of the rounds, \
         the least and the greatest. Page faults and written bytes are of the whole \
         measurement.</p>\n<div class=\"wide\"><table>\n<tr><th>work</th><th>way</th>\
         <th>time</th><th>least</th><th>greatest</th><th>faults</th><th>with a read</th>\
         <th>written</th><th>peak memory</th></tr>\n",
    );
    for work in results.works() {
        for &way in work.ways() {
            let Some(cells) = cost_cells(results, work, way) else { continue };
            page.push_str("<tr>");
            for cell in &cells {
                let _ = write!(page, "<td>{}</td>", escaped(cell));
            }
            page.push_str("</tr>\n");
        }
    }
    page.push_str("</table></div>\n");
}

/// Text that a browser shows as it is.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
