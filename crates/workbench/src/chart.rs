//! The picture of `cargo xtask bench --write`: the cost of a record over the depth of its stack. It holds no
//! fonts; the viewer has them.

use plotters::prelude::*;
use sigproof_oracle::bench::{Kind, Line};

const SIZE: (u32, u32) = (760, 440);

/// The picture of these lines.
///
/// # Errors
/// The reason why it cannot be drawn.
pub fn svg(lines: &[Line]) -> Result<String, String> {
    let mut text = String::new();
    draw(lines, SVGBackend::with_string(&mut text, SIZE)).map_err(|error| error.to_string())?;
    Ok(text)
}

/// Colours of a kind, from its first contender to its last: shades of one colour that can be told apart.
fn shades(kind: Kind) -> [RGBColor; 2] {
    match kind {
        Kind::Ours => [RGBColor(16, 64, 160), RGBColor(64, 150, 240)],
        Kind::Go => [RGBColor(250, 190, 130), RGBColor(190, 60, 10)],
        Kind::Rtrb => [RGBColor(20, 140, 70); 2],
        Kind::Copy => [RGBColor(110, 110, 110); 2],
    }
}

/// The colour of the one at this place among so many of a kind.
fn colour(kind: Kind, at: usize, of: usize) -> RGBColor {
    let [first, last] = shades(kind);
    let part = at as f64 / of.saturating_sub(1).max(1) as f64;
    let between = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round() as u8;
    RGBColor(between(first.0, last.0), between(first.1, last.1), between(first.2, last.2))
}

fn draw(all: &[Line], backend: SVGBackend<'_>) -> Result<(), Box<dyn std::error::Error>> {
    let lines = all.iter().enumerate().map(|(index, Line { contender, points })| {
        let alike = |others: &[Line]| others.iter().filter(|other| other.contender.kind == contender.kind).count();
        (contender.name.clone(), colour(contender.kind, alike(&all[..index]), alike(all)), points)
    });
    let lines: Vec<_> = lines.collect();
    let points = || lines.iter().flat_map(|(_, _, line)| line.iter().copied());
    let right = points().map(|(depth, _)| depth).max().unwrap_or(1) as f64;
    let top = points().map(|(_, ns)| ns).fold(1.0, f64::max);
    let area = backend.into_drawing_area();
    area.fill(&WHITE)?;
    let mut builder = ChartBuilder::on(&area);
    builder.caption("Write and drain a record, one thread", ("sans-serif", 18)).margin(12);
    let mut chart =
        builder.x_label_area_size(40).y_label_area_size(52).build_cartesian_2d(0.0..right * 1.05, 0.0..top * 1.1)?;
    let mut mesh = chart.configure_mesh();
    mesh.light_line_style(TRANSPARENT)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.0}"));
    mesh.x_desc("depth of the stack, words").y_desc("nanoseconds a record").draw()?;
    for (name, colour, line) in &lines {
        let style = colour.stroke_width(2);
        let series = line.iter().map(|&(depth, ns)| (depth as f64, ns));
        let drawn = chart.draw_series(LineSeries::new(series, style).point_size(3))?;
        drawn.label(name.clone()).legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], style));
    }
    let mut legend = chart.configure_series_labels();
    legend.position(SeriesLabelPosition::UpperLeft).background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sigproof_oracle::bench::Contender;

    #[test]
    fn every_contender_is_drawn() {
        let contenders = [
            (Kind::Ours, "sleeping"),
            (Kind::Ours, "polled"),
            (Kind::Go, "go1.27.3"),
            (Kind::Rtrb, "rtrb"),
            (Kind::Copy, "memcpy"),
        ];
        let lines = contenders.map(|(kind, name)| Line {
            contender: Contender { kind, name: name.to_owned() },
            points: vec![(2, 10.0), (16, 20.0), (64, 40.0)],
        });
        let svg = svg(&lines).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
        assert!(contenders.iter().all(|(_, name)| svg.contains(name)), "{svg}");
        assert!(svg.matches("<polyline").count() >= contenders.len(), "{svg}");
    }

    #[test]
    fn shades_go_from_the_first_to_the_last() {
        let [first, last] = shades(Kind::Go);
        assert_eq!([colour(Kind::Go, 0, 4), colour(Kind::Go, 3, 4)], [first, last]);
        assert_eq!(colour(Kind::Go, 0, 1), first);
        assert!(colour(Kind::Go, 1, 4) != first && colour(Kind::Go, 1, 4) != last);
    }
}
