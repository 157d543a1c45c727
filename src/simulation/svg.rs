//! A plot of a simulation: replicas that ran, replicas that were wanted and recommended, the bounds, and the metrics
//! below. SVG by hand: a few lines and labels need no library.

use std::fmt::Write;

use crate::model::decision::Decision;
use crate::units::Timestamp;

/// Most points that are kept; of more, every second one goes, again and again.
const MAX_POINTS: usize = 4_000;
/// Most metrics that are drawn.
const MAX_METRICS: usize = 6;
const WIDTH: f64 = 960.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
const REPLICAS_HEIGHT: f64 = 240.0;
const METRIC_HEIGHT: f64 = 90.0;
const GAP: f64 = 34.0;

/// One of a point's counts.
type Count = fn(&Point) -> u32;

/// Keeps what is drawn.
#[derive(Debug, Clone)]
pub struct Plot {
    title: String,
    points: Vec<Point>,
    /// One of so many decisions is kept.
    every: u64,
    seen: u64,
    metrics: Vec<String>,
}

#[derive(Debug, Clone)]
struct Point {
    at: Timestamp,
    current: u32,
    desired: u32,
    recommended: u32,
    min: u32,
    max: u32,
    values: Vec<Option<f64>>,
}

impl Plot {
    /// Of nothing yet.
    #[must_use]
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), points: Vec::new(), every: 1, seen: 0, metrics: Vec::new() }
    }

    /// The next decision.
    pub fn add(&mut self, decision: &Decision) {
        self.seen += 1;
        if !(self.seen - 1).is_multiple_of(self.every) {
            return;
        }
        for (name, _) in &decision.metrics {
            if self.metrics.len() < MAX_METRICS && !self.metrics.iter().any(|it| **it == **name) {
                self.metrics.push(name.to_string());
            }
        }
        let of = |name: &String| decision.metrics.iter().find(|it| *it.0 == **name).map(|it| it.1);
        self.points.push(Point {
            at: decision.at,
            current: decision.current,
            desired: decision.desired,
            recommended: decision.recommended,
            min: decision.bounds.min(),
            max: decision.bounds.max(),
            values: self.metrics.iter().map(of).collect(),
        });
        if self.points.len() >= MAX_POINTS {
            let mut index = 0;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.every = self.every.saturating_mul(2);
        }
    }

    /// The picture.
    #[must_use]
    pub fn draw(&self) -> String {
        let height = GAP * 2.0 + REPLICAS_HEIGHT + self.metrics.len() as f64 * (METRIC_HEIGHT + GAP);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <text x=\"{LEFT}\" y=\"20\" font-size=\"15\">{}</text>\n",
            escaped(&self.title)
        );
        let peak = |it: &Point| it.current.max(it.desired).max(it.recommended.min(it.max));
        let most = f64::from(self.points.iter().map(peak).max().unwrap_or(1).max(1));
        let frame = Frame { top: GAP, height: REPLICAS_HEIGHT, low: 0.0, high: most, times: self.times() };
        frame.axes(&mut svg, "replicas");
        let series: [(&str, &str, Count); 5] = [
            ("min", "#bbbbbb", |it| it.min),
            ("max", "#bbbbbb", |it| it.max),
            ("recommended", "#e0a030", |it| it.recommended),
            ("current", "#4477aa", |it| it.current),
            ("desired", "#cc3311", |it| it.desired),
        ];
        let mut x = WIDTH - RIGHT;
        for (name, color, of) in series {
            let points = self.points.iter().map(|it| (it.at, Some(f64::from(of(it)))));
            frame.line(&mut svg, points, color, Shape::Steps);
            let _ =
                writeln!(svg, "<text x=\"{x}\" y=\"20\" fill=\"{color}\" text-anchor=\"end\">{name}</text>");
            x -= 20.0 + name.len() as f64 * 7.0;
        }
        for (index, name) in self.metrics.iter().enumerate() {
            self.metric(&mut svg, index, name);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn metric(&self, svg: &mut String, index: usize, name: &str) {
        let values = || self.points.iter().filter_map(|it| it.values.get(index).copied().flatten());
        let (low, high) = values().fold((0f64, 0f64), |(low, high), it| (low.min(it), high.max(it)));
        let high = if high > low { high } else { low + 1.0 };
        let top = GAP * 2.0 + REPLICAS_HEIGHT + index as f64 * (METRIC_HEIGHT + GAP);
        let frame = Frame { top, height: METRIC_HEIGHT, low, high, times: self.times() };
        frame.axes(svg, name);
        let points = self.points.iter().map(|it| (it.at, it.values.get(index).copied().flatten()));
        frame.line(svg, points, "#228833", Shape::Straight);
    }

    fn times(&self) -> (Timestamp, Timestamp) {
        let of = |it: Option<&Point>| it.map(|it| it.at).unwrap_or_default();
        (of(self.points.first()), of(self.points.last()))
    }
}

/// A part of the picture with its scales.
struct Frame {
    top: f64,
    height: f64,
    low: f64,
    high: f64,
    times: (Timestamp, Timestamp),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// A count holds until the next.
    Steps,
    Straight,
}

impl Frame {
    fn x(&self, at: Timestamp) -> f64 {
        let whole = self.times.1.since(self.times.0).as_secs_f64().max(1e-3);
        LEFT + (WIDTH - LEFT - RIGHT) * at.since(self.times.0).as_secs_f64() / whole
    }

    /// What lies beyond the scale is drawn at its edge.
    fn y(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.top + self.height * (1.0 - share)
    }

    fn axes(&self, svg: &mut String, name: &str) {
        let (bottom, right) = (self.top + self.height, WIDTH - RIGHT);
        let Self { top, low, high, .. } = self;
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"#666666\"/>\n\
             <text x=\"{0}\" y=\"{1:.1}\" text-anchor=\"end\">{high}</text>\n\
             <text x=\"{0}\" y=\"{bottom:.1}\" text-anchor=\"end\">{low}</text>\n\
             <text x=\"{2}\" y=\"{1:.1}\" font-weight=\"bold\">{3}</text>",
            LEFT - 6.0,
            top + 10.0,
            LEFT + 6.0,
            escaped(name)
        );
    }

    fn line(
        &self,
        svg: &mut String,
        points: impl Iterator<Item = (Timestamp, Option<f64>)>,
        color: &str,
        shape: Shape,
    ) {
        let _ = write!(svg, "<path fill=\"none\" stroke=\"{color}\" stroke-width=\"1.5\" d=\"");
        let mut begun = false;
        for (at, value) in points {
            let Some(value) = value else {
                begun = false;
                continue;
            };
            let (x, y) = (self.x(at), self.y(value));
            let _ = match (begun, shape) {
                (false, _) => write!(svg, "M{x:.1} {y:.1}"),
                (true, Shape::Steps) => write!(svg, "H{x:.1}V{y:.1}"),
                (true, Shape::Straight) => write!(svg, "L{x:.1} {y:.1}"),
            };
            begun = true;
        }
        svg.push_str("\"/>\n");
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
