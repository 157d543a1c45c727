//! The picture: title, legend, replicas, workload, metrics, time.

use std::fmt::Write;

use super::axis::{self, caption, short};
use super::columns::{Column, Extent};
use super::frame::{CHARACTER, Frame, INK, LEFT, LINE, Pen, RIGHT, Shape, WIDTH, escaped};
use super::limits::Of;
use super::{Plot, Series};
use crate::units::Timestamp;

/// Of the first and the second policy.
const LANES: [&str; 2] = ["#3d85c6", "#d9603b"];
const DESIRED: &str = "#3d85c6";
const CURRENT: &str = "#2a9d6f";
const RECOMMENDED: &str = "#c58b16";
const MARK: &str = "#9a6fd0";
const LIMITED: &str = "#c58b16";
const MISSING: &str = "#d64550";
const SCHEDULE: &str = "#3d85c6";
const ARRIVALS: &str = "#9a6fd0";

/// Where the first frame begins below a legend of one line.
const FIRST_FRAME: f64 = 78.0;
const REPLICAS_HEIGHT: f64 = 190.0;
const PANEL_HEIGHT: f64 = 92.0;
/// Between two frames: room for the name of the lower one.
const GAP: f64 = 30.0;
/// Height of the strip that says that something limited a policy.
const STRIP: f64 = 5.0;
/// How dense the area between minimum and maximum is.
const BAND: f64 = 0.16;
/// A mark this many times as high as anything that was seen would press the rest flat.
const FARTHEST_MARK: f64 = 4.0;
/// The same of a maximum.
const FARTHEST_MAX: f64 = 2.5;

/// What a colour means.
struct Key {
    text: String,
    swatch: Swatch,
}

enum Swatch {
    Line(Pen),
    Area(&'static str, f64),
}

pub(super) fn draw(plot: &Plot) -> String {
    let mut body = String::new();
    let mut top = FIRST_FRAME + legend(plot, &mut body);
    let mut frames = Vec::new();
    let mut next = |height: f64, draw: &dyn Fn(&mut String, f64)| {
        draw(&mut body, top);
        frames.push((top, height));
        top += height + GAP;
        if frames.len() == 1 {
            top += strips(plot, &mut body, top - GAP);
        }
    };
    if plot.horizontal {
        next(REPLICAS_HEIGHT, &|svg, top| replicas(plot, svg, top));
    }
    for index in 0..plot.limits.len() {
        next(PANEL_HEIGHT, &|svg, top| limit(plot, svg, top, index));
    }
    if plot.closed {
        next(PANEL_HEIGHT, &|svg, top| load(plot, svg, top));
        if !plot.panels.iter().any(|it| it.metric.ends_with(".backlog")) {
            next(PANEL_HEIGHT, &|svg, top| backlog(plot, svg, top));
        }
    }
    for index in 0..plot.panels.len() {
        next(PANEL_HEIGHT, &|svg, top| metric(plot, svg, top, index));
    }
    let height = times(plot, &mut body, &frames);
    let (title, description) = (title(plot), description(plot));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} \
         {height}\" role=\"img\" aria-labelledby=\"title description\" font-family=\"sans-serif\" font-size=\"12\" \
         fill=\"{INK}\">\n<title id=\"title\">{}</title>\n<desc id=\"description\">{}</desc>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"16\" font-weight=\"bold\">{}</text>\n{body}</svg>\n",
        escaped(&title),
        escaped(&description),
        escaped(&title)
    )
}

fn title(plot: &Plot) -> String {
    format!("docktor simulate: {}", plot.names.join(" against "))
}

fn description(plot: &Plot) -> String {
    let (from, to) = plot.times();
    let seconds = to.since(from).as_secs_f64();
    let mut text = format!("{} decisions over {} hours.", plot.columns.decisions, short(seconds / 3_600.0));
    for (lane, name) in plot.names.iter().enumerate() {
        let Some((fewest, most)) = plot.extremes(lane, Series::Desired) else { continue };
        let replicas = if plot.horizontal { format!("{fewest} to {most} replicas, ") } else { String::new() };
        let _ = write!(text, " {name}: {replicas}{} changes.", plot.changes[lane]);
    }
    text
}

/// Draws what colours mean; gives the height that it takes.
fn legend(plot: &Plot, svg: &mut String) -> f64 {
    let (mut x, mut y) = (LEFT, 42.0);
    for key in keys(plot) {
        let width = 26.0 + key.text.chars().count() as f64 * CHARACTER + 14.0;
        if x + width > WIDTH && x > LEFT {
            (x, y) = (LEFT, y + LINE + 4.0);
        }
        let middle = y - 4.0;
        let _ = match key.swatch {
            Swatch::Line(pen) => {
                writeln!(svg, "<path d=\"M{x:.1} {middle}h20\" fill=\"none\" {}/>", pen.style())
            }
            Swatch::Area(color, opacity) => writeln!(
                svg,
                "<path d=\"M{x:.1} {}h20v10h-20z\" fill=\"{color}\" fill-opacity=\"{opacity}\"/>",
                middle - 5.0
            ),
        };
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{y}\">{}</text>", x + 26.0, escaped(&key.text));
        x += width;
    }
    y - 42.0
}

fn keys(plot: &Plot) -> Vec<Key> {
    let line = |text: &str, pen| Key { text: text.to_owned(), swatch: Swatch::Line(pen) };
    let area =
        |text: &str, color, opacity| Key { text: text.to_owned(), swatch: Swatch::Area(color, opacity) };
    let mut keys: Vec<Key> = match &plot.names[..] {
        [_] => {
            let recommended = plot.horizontal.then(|| line("recommended", RECOMMENDED_PEN));
            let both = [line("desired", DESIRED_PEN), line("current", CURRENT_PEN)];
            both.into_iter().chain(recommended).collect()
        }
        names => names.iter().zip(LANES).map(|(name, color)| line(name, Pen::solid(color, 2.0))).collect(),
    };
    keys.push(area("min to max", INK, BAND));
    if !plot.limits.is_empty() {
        keys.push(line("in use", USE_PEN));
    }
    let any = |is: fn(&Column) -> bool| plot.columns.all().iter().any(is);
    if any(|it| it.limited != 0) {
        keys.push(match &plot.names[..] {
            [_] => area("limited", LIMITED, 0.8),
            _ => area("limited (in its colour)", INK, 0.8),
        });
    }
    if any(|it| it.schedule.is_some()) {
        keys.push(area("schedule", SCHEDULE, 0.2));
    }
    if any(|it| it.missing != 0) {
        keys.push(area("missing data", MISSING, 0.3));
    }
    if plot.panels.iter().any(|it| !it.marks.is_empty()) {
        keys.push(line("rules and targets", MARK_PEN));
    }
    keys
}

const DESIRED_PEN: Pen = Pen::solid(DESIRED, 2.0);
const CURRENT_PEN: Pen = Pen { color: CURRENT, width: 1.5, dashes: "5 2", opacity: 1.0 };
const RECOMMENDED_PEN: Pen = Pen { color: RECOMMENDED, width: 1.0, dashes: "", opacity: 0.6 };
/// In the colour of its policy, where there are two.
const USE_PEN: Pen = Pen { color: ARRIVALS, width: 1.0, dashes: "2 2", opacity: 1.0 };
const MARK_PEN: Pen = Pen { color: MARK, width: 1.2, dashes: "6 4", opacity: 1.0 };

fn replicas(plot: &Plot, svg: &mut String, top: f64) {
    let series = [Series::Current, Series::Desired, Series::Min];
    let lanes = 0..plot.names.len();
    let highest =
        |series| lanes.clone().filter_map(|it| plot.extremes(it, series)).map(|it| it.1).fold(1.0, f64::max);
    let used = series.into_iter().map(highest).fold(1.0, f64::max);
    let max = highest(Series::Max);
    // A maximum far above all that ran would press the rest flat.
    let high = if max <= used * FARTHEST_MAX { max } else { (used * 1.25).ceil() };
    let frame = Frame { top, height: REPLICAS_HEIGHT, low: 0.0, high, times: plot.times() };
    let scheduled = plot.stretches(|it| it.schedule.is_some());
    frame.stretches(svg, &scheduled, (top, frame.bottom()), SCHEDULE, 0.12);
    frame.axes(svg, "replicas");
    for lane in lanes.clone() {
        let bounds = plot.series(lane, Series::Min).zip(plot.series(lane, Series::Max));
        let bounds = bounds.map(|(min, max)| (min.0, min.1, max.1));
        frame.band(svg, bounds, INK, BAND / plot.names.len() as f64);
    }
    if max > high {
        frame.labels(svg, vec![(high, format!("max {max}"), INK)]);
    }
    if let [_] = &plot.names[..] {
        for (series, pen) in [
            (Series::Recommended, RECOMMENDED_PEN),
            (Series::Desired, DESIRED_PEN),
            (Series::Current, CURRENT_PEN),
        ] {
            frame.line(svg, plot.series(0, series), pen, Shape::Steps);
        }
    } else {
        for (lane, color) in lanes.clone().zip(LANES) {
            frame.line(svg, plot.series(lane, Series::Desired), Pen::solid(color, 2.0), Shape::Steps);
        }
    }
    names_of_schedules(plot, svg, &frame);
}

/// Below the first frame: when something kept each policy from what was recommended. Gives the height of that.
fn strips(plot: &Plot, svg: &mut String, top: f64) -> f64 {
    let frame = Frame { top, height: STRIP, low: 0.0, high: 1.0, times: plot.times() };
    for lane in 0..plot.names.len() {
        let strip = top + 2.0 + lane as f64 * (STRIP + 1.0);
        let limited = plot.stretches(|it| it.limited & (1 << lane) != 0);
        let color = if plot.names.len() == 1 { LIMITED } else { LANES[lane.min(1)] };
        frame.stretches(svg, &limited, (strip, strip + STRIP), color, 0.8);
    }
    STRIP * plot.names.len() as f64
}

fn limit(plot: &Plot, svg: &mut String, top: f64, index: usize) {
    let panel = &plot.limits[index];
    let ranges: Vec<_> =
        panel.ranges.iter().flatten().map(|it| (it.0 / panel.unit(), it.1 / panel.unit())).collect();
    let series = Of::ALL.map(|of| Series::Limit(index, of));
    let lanes = 0..plot.names.len();
    let extremes = lanes.flat_map(|lane| series.iter().filter_map(move |it| plot.extremes(lane, *it)));
    let used = extremes.map(|it| it.1).fold(0.0, f64::max);
    let near = |it: &f64| used <= 0.0 || *it <= used * FARTHEST_MAX;
    let ends: Vec<f64> = ranges.iter().flat_map(|it| [it.0, it.1]).filter(near).collect();
    let frame = plot.frame(top, &series, &ends);
    frame.axes(svg, &panel.name());
    for (low, high) in &ranges {
        let all = [(plot.times().0, Some(Extent::of(*low)), Some(Extent::of(*high)))];
        frame.band(svg, all.into_iter(), INK, BAND / ranges.len() as f64);
    }
    let mut labels = Vec::new();
    for (low, high) in panel.ranges.iter().flatten() {
        for (word, end) in [("max", *high), ("min", *low)] {
            let text = shortened(&format!("{word} {}", panel.kind.written(end)));
            let label = ((end / panel.unit()).min(frame.high), text, INK);
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
    }
    frame.labels(svg, labels);
    for lane in 0..plot.names.len() {
        let pens = match plot.names.len() {
            1 => [(Of::Use, USE_PEN), (Of::Desired, DESIRED_PEN), (Of::Present, CURRENT_PEN)].to_vec(),
            _ => {
                let color = LANES[lane.min(1)];
                vec![(Of::Use, Pen { color, ..USE_PEN }), (Of::Desired, Pen::solid(color, 2.0))]
            }
        };
        for (of, pen) in pens {
            let shape = if of == Of::Use { Shape::Straight } else { Shape::Steps };
            frame.line(svg, plot.series(lane, Series::Limit(index, of)), pen, shape);
        }
    }
}

/// The name of each schedule at its window, where there is room.
fn names_of_schedules(plot: &Plot, svg: &mut String, frame: &Frame) {
    let mut free_from = LEFT;
    let mut active = None;
    for column in plot.columns.all() {
        if column.schedule == active {
            continue;
        }
        active.clone_from(&column.schedule);
        let Some(name) = &active else { continue };
        let x = frame.x(column.at) + 4.0;
        let width = name.chars().count() as f64 * CHARACTER;
        if x >= free_from && x + width < WIDTH - RIGHT {
            let y = frame.top + LINE;
            let _ =
                writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"11\">{}</text>", escaped(name));
            free_from = x + width + 8.0;
        }
    }
}

fn load(plot: &Plot, svg: &mut String, top: f64) {
    let frame = plot.frame(top, &[Series::Arrivals, Series::Capacity], &[]);
    frame.axes(svg, "work per second: arrivals, and what ready replicas can do");
    let mut labels = Vec::new();
    for lane in 0..plot.names.len() {
        let (color, text) = match plot.names.len() {
            1 => (CURRENT, "capacity".to_owned()),
            _ => (LANES[lane.min(1)], shortened(&format!("capacity {}", plot.names[lane]))),
        };
        frame.line(svg, plot.series(lane, Series::Capacity), Pen::solid(color, 1.5), Shape::Steps);
        labels.extend(plot.last(lane, Series::Capacity).map(|it| (it, text, color)));
    }
    frame.line(svg, plot.series(0, Series::Arrivals), Pen::solid(ARRIVALS, 1.5), Shape::Steps);
    labels.extend(plot.last(0, Series::Arrivals).map(|it| (it, "arrivals".to_owned(), ARRIVALS)));
    frame.labels(svg, labels);
}

fn backlog(plot: &Plot, svg: &mut String, top: f64) {
    let frame = plot.frame(top, &[Series::Backlog], &[]);
    frame.axes(svg, "backlog");
    lines(plot, svg, &frame, Series::Backlog);
}

fn metric(plot: &Plot, svg: &mut String, top: f64, index: usize) {
    let panel = &plot.panels[index];
    let values: Vec<f64> =
        panel.marks.iter().filter(|it| it.per_replica.is_none()).map(|it| it.value).collect();
    let frame = plot.frame(top, &[Series::Metric(index)], &values);
    frame.axes(svg, &panel.metric);
    let missing = plot.stretches(|it| it.missing & (1 << index) != 0);
    frame.stretches(svg, &missing, (top, frame.bottom()), MISSING, 0.25);
    let mut labels = Vec::new();
    for mark in &panel.marks {
        let text = if mark.value > frame.high { format!("{} (above)", mark.text) } else { mark.text.clone() };
        match mark.per_replica {
            None if mark.value > frame.high => labels.push((frame.high, shortened(&text), MARK)),
            None => {
                frame.across(svg, mark.value, MARK_PEN);
                labels.push((mark.value, shortened(&text), MARK));
            }
            Some(lane) => {
                let times = |it: Extent| Extent {
                    first: it.first * mark.value,
                    low: it.low * mark.value,
                    high: it.high * mark.value,
                    last: it.last * mark.value,
                };
                let goal = plot.series(lane, Series::Current).map(|(at, it)| (at, it.map(times)));
                frame.line(svg, goal.clone(), MARK_PEN, Shape::Steps);
                let last = goal.filter_map(|it| it.1).last();
                labels.extend(last.map(|it| (it.last.min(frame.high), shortened(&mark.text), MARK)));
            }
        }
    }
    lines(plot, svg, &frame, Series::Metric(index));
    frame.labels(svg, labels);
}

/// A series of every policy. In an open loop both see the same.
fn lines(plot: &Plot, svg: &mut String, frame: &Frame, series: Series) {
    let single = plot.names.len() == 1 || !plot.closed;
    for (lane, color) in (0..plot.names.len()).zip(LANES) {
        let color = if single { CURRENT } else { color };
        frame.line(svg, plot.series(lane, series), Pen::solid(color, 1.5), Shape::Straight);
        if !plot.closed && lane == 0 && plot.extremes(0, series).is_some() {
            return;
        }
    }
}

/// Text that fits at the right of a frame.
fn shortened(text: &str) -> String {
    let room = ((RIGHT - 8.0) / CHARACTER) as usize;
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room - 2).chain("..".chars()).collect()
}

/// Draws the axis of time below the last frame and its grid in all; gives the height of the picture.
fn times(plot: &Plot, svg: &mut String, frames: &[(f64, f64)]) -> f64 {
    let (from, to) = plot.times();
    let bottom = frames.last().map_or(0.0, |(top, height)| top + height);
    let bottom = if frames.len() == 1 { bottom + STRIP * plot.names.len() as f64 } else { bottom };
    let frame = Frame { top: 0.0, height: 1.0, low: 0.0, high: 1.0, times: (from, to) };
    let mut free_from = 0.0;
    let ticks = axis::ticks(from, to, plot.clock);
    for tick in &ticks {
        let x = frame.x(tick.at);
        for (top, height) in frames {
            let _ = writeln!(
                svg,
                "<path d=\"M{x:.1} {top:.1}v{height}\" stroke=\"{INK}\" stroke-opacity=\"0.18\"/>"
            );
        }
        let lines =
            [(bottom + 17.0, &tick.text), (bottom + 17.0 + LINE, tick.date.as_ref().unwrap_or(&tick.text))];
        let count = if tick.date.is_some() { 2 } else { 1 };
        for (line, (y, text)) in lines.into_iter().take(count).enumerate() {
            // A date is wider than a time of day; it stays away where the one before still stands.
            let half = text.chars().count() as f64 * CHARACTER / 2.0;
            if text.is_empty() || (line == 1 && x - half < free_from) {
                continue;
            }
            if line == 1 {
                free_from = x + half + 8.0;
            }
            let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{text}</text>");
        }
    }
    let _ = writeln!(
        svg,
        "<text x=\"{WIDTH}\" y=\"{:.1}\" dx=\"-10\" text-anchor=\"end\">{}</text>",
        bottom + 17.0,
        caption(plot.clock, &ticks)
    );
    bottom + 17.0 + LINE + 8.0
}

impl Plot {
    /// A frame that has room for these series of every policy and, unless they are too far up, for these values.
    fn frame(&self, top: f64, series: &[Series], values: &[f64]) -> Frame {
        let lanes = 0..self.names.len();
        let extremes = lanes.flat_map(|lane| series.iter().filter_map(move |it| self.extremes(lane, *it)));
        let (low, high) = extremes.fold((0.0f64, 0.0f64), |all, it| (all.0.min(it.0), all.1.max(it.1)));
        let near = |it: &&f64| high <= 0.0 || **it <= high * FARTHEST_MARK;
        let (low, high) =
            values.iter().filter(near).fold((low, high), |all, it| (all.0.min(*it), all.1.max(*it)));
        let high = if high > low { high + (high - low) * 0.05 } else { low + 1.0 };
        Frame { top, height: PANEL_HEIGHT, low, high, times: self.times() }
    }

    /// The last value of a series.
    fn last(&self, lane: usize, series: Series) -> Option<f64> {
        self.series(lane, series).filter_map(|it| it.1).last().map(|it| it.last)
    }

    /// The times at which something is so, each until the next column.
    fn stretches(&self, is: impl Fn(&Column) -> bool) -> Vec<(Timestamp, Timestamp)> {
        let columns = self.columns.all();
        let mut stretches: Vec<(Timestamp, Timestamp)> = Vec::new();
        for (index, column) in columns.iter().enumerate().filter(|it| is(it.1)) {
            let end = columns.get(index + 1).map_or(self.columns.end, |it| it.at);
            match stretches.last_mut() {
                Some(last) if last.1 == column.at => last.1 = end,
                _ => stretches.push((column.at, end)),
            }
        }
        stretches
    }
}
