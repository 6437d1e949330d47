//! The cost of a record over the depth of its stack, drawn. No font is needed: the viewer brings them.

use plotters::prelude::*;

use super::costs::Costs;

const SIZE: (u32, u32) = (760, 440);

/// The picture.
///
/// # Errors
/// It cannot be drawn, in words.
pub fn svg(costs: &Costs) -> Result<String, String> {
    let mut text = String::new();
    draw(costs, SVGBackend::with_string(&mut text, SIZE)).map_err(|error| error.to_string())?;
    Ok(text)
}

fn draw(costs: &Costs, backend: SVGBackend<'_>) -> Result<(), Box<dyn std::error::Error>> {
    let lines: Vec<_> = costs.contenders().iter().map(|who| (who.name.clone(), costs.line(who))).collect();
    let points = || lines.iter().flat_map(|(_, line)| line.iter().copied());
    let right = points().map(|(depth, _)| depth).max().unwrap_or(1) as f64;
    let top = points().map(|(_, ns)| ns).fold(1.0, f64::max);
    let area = backend.into_drawing_area();
    area.fill(&WHITE)?;
    let mut builder = ChartBuilder::on(&area);
    builder.caption("Write and drain, one thread", ("sans-serif", 18)).margin(12);
    let mut chart =
        builder.x_label_area_size(36).y_label_area_size(52).build_cartesian_2d(0.0..right * 1.05, 0.0..top * 1.1)?;
    chart.configure_mesh().x_desc("stack words").y_desc("nanoseconds a record").draw()?;
    for (at, (name, line)) in lines.iter().enumerate() {
        let style = Palette99::pick(at).stroke_width(2);
        let series = LineSeries::new(line.iter().map(|&(depth, ns)| (depth as f64, ns)), style);
        let drawn = chart.draw_series(series)?;
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

    #[test]
    fn every_contender_is_drawn() {
        let svg = svg(&Costs::of(&super::super::results::tests::example().costs)).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
        for name in ["sleeping", "polled", "go1.27.3", "rtrb", "memcpy"] {
            assert!(svg.contains(name), "{name}");
        }
    }
}
