//! Sequential, Huffman-coded pictures to planes of samples, where crate `libjpeg-turbo-rs` does not
//! read them.
//!
//! These are pictures in several scans with more than one component in a scan, and damaged ones,
//! which libjpeg reads with a warning. The crate's Huffman tables and its transform are used. Each
//! scan uses the tables defined before it.

use super::bits::Bits;
use super::header::Header;
use super::segments::Segments;
use libjpeg_turbo_rs::common::huffman_table::{HuffmanTable, std_huffman_tables};
use libjpeg_turbo_rs::common::quant_table::QuantTable;
use libjpeg_turbo_rs::simd::{self, SimdRoutines};
use std::sync::Arc;

/// Samples of one component in whole blocks, row by row, and the length of a row.
pub(super) type Samples = (Vec<u8>, usize);

/// Tables that segments define and scans use.
struct Tables {
    quant: [Option<QuantTable>; 4],
    dc: [Option<Arc<HuffmanTable>>; 4],
    ac: [Option<Arc<HuffmanTable>>; 4],
    restart: usize,
}

/// A component in a scan.
struct Part {
    component: usize,
    /// Blocks of a unit of the scan, across and down.
    blocks: (usize, usize),
    dc: Arc<HuffmanTable>,
    ac: Arc<HuffmanTable>,
    quant: [u16; 64],
}

/// Decodes all scans, up to the end of the picture.
pub(super) fn decode(bytes: &[u8], header: &Header) -> Result<Vec<Samples>, String> {
    let units = header.units();
    let planes = header.components.iter().map(|c| {
        let (width, height) = (8 * units.0 * c.across, 8 * units.1 * c.down);
        // The middle value stands where no scan writes, as if all coefficients were 0.
        (vec![128; width * height], width)
    });
    let mut planes: Vec<Samples> = planes.collect();
    let mut quant: Vec<Option<[u16; 64]>> = vec![None; planes.len()];
    let [dc0, dc1, ac0, ac1] = std_huffman_tables().clone();
    let mut tables = Tables {
        quant: [const { None }; 4],
        // Films of JPEGs leave the tables of annex K out.
        dc: [Some(dc0), Some(dc1), None, None],
        ac: [Some(ac0), Some(ac1), None, None],
        restart: 0,
    };
    let routines = simd::detect();
    let mut segments = Segments::new(bytes);
    loop {
        let (marker, content) = match segments.take() {
            Ok(Some(segment)) => segment,
            // Where all is there, the two bytes of the end may be missing.
            Err(_) if quant.iter().all(Option::is_some) => break,
            Ok(None) => break,
            Err(error) => return Err(error),
        };
        match marker {
            0xdb => tables.read_quant(content)?,
            0xc4 => tables.read_huffman(content)?,
            0xdd => {
                tables.restart =
                    content.get(..2).map_or(0, |b| usize::from(b[0]) << 8 | usize::from(b[1]))
            }
            0xda => {
                let parts = tables.parts(content, header, &mut quant)?;
                let coded = bytes.get(segments.at..).unwrap_or_default();
                scan(&parts, header, coded, tables.restart, &routines, &mut planes)?;
                if !header.several_scans {
                    break;
                }
            }
            _ => {}
        }
    }
    Ok(planes)
}

impl Tables {
    fn read_quant(&mut self, mut content: &[u8]) -> Result<(), String> {
        while let Some((&kind, rest)) = content.split_first() {
            let slot = self
                .quant
                .get_mut(usize::from(kind & 15))
                .ok_or("a quantisation table has no such number")?;
            let wide = 1 + usize::from(kind >> 4 > 0);
            let values = rest.get(..64 * wide).ok_or("a quantisation table is cut off")?;
            let mut zigzag = [0; 64];
            for (to, from) in zigzag.iter_mut().zip(values.chunks_exact(wide)) {
                *to = from.iter().fold(0, |value, &byte| value << 8 | u16::from(byte));
            }
            *slot = Some(QuantTable::from_zigzag(&zigzag));
            content = &rest[64 * wide..];
        }
        Ok(())
    }

    fn read_huffman(&mut self, mut content: &[u8]) -> Result<(), String> {
        while let [kind, rest @ ..] = content {
            let mean = kind >> 4 == 0;
            let kinds = if mean { &mut self.dc } else { &mut self.ac };
            let slot = kinds
                .get_mut(usize::from(kind & 15))
                .ok_or("a Huffman table has no such number")?;
            let mut counts = [0; 17];
            counts[1..].copy_from_slice(rest.get(..16).ok_or("a Huffman table is cut off")?);
            let symbols = counts.iter().map(|&count| usize::from(count)).sum::<usize>();
            let values = rest.get(16..16 + symbols).ok_or("a Huffman table is cut off")?;
            if mean && values.iter().any(|&size| size > 15) {
                return Err("a Huffman table has a number of more than 15 bits".to_owned());
            }
            *slot = Some(Arc::new(
                HuffmanTable::build(&counts, values).map_err(|error| error.to_string())?,
            ));
            content = &rest[16 + symbols..];
        }
        Ok(())
    }

    /// Reads the header of a scan. A component keeps the quantisation of its first scan, as in
    /// libjpeg.
    fn parts(
        &self,
        scan: &[u8],
        header: &Header,
        quant: &mut [Option<[u16; 64]>],
    ) -> Result<Vec<Part>, String> {
        let listed =
            scan.split_first().and_then(|(&count, rest)| rest.get(..2 * usize::from(count)));
        let listed = listed.ok_or("the header of a scan is cut off")?;
        let part = |pair: &[u8]| -> Result<Part, String> {
            let component = header.components.iter().position(|c| c.id == pair[0]);
            let component = component
                .ok_or_else(|| format!("a scan has component {}, the frame not", pair[0]))?;
            let own = &header.components[component];
            let blocks = if listed.len() == 2 { (1, 1) } else { (own.across, own.down) };
            let table = |kind: &[Option<Arc<HuffmanTable>>; 4], at: u8| {
                kind.get(usize::from(at))
                    .cloned()
                    .flatten()
                    .ok_or("a scan uses a Huffman table that is not there")
            };
            if quant[component].is_none() {
                quant[component] =
                    self.quant.get(own.quant).and_then(|table| table.as_ref()).map(|t| t.values);
            }
            let quant = quant[component]
                .ok_or("a component uses a quantisation table that is not there")?;
            Ok(Part {
                component,
                blocks,
                dc: table(&self.dc, pair[1] >> 4)?,
                ac: table(&self.ac, pair[1] & 15)?,
                quant,
            })
        };
        listed.chunks_exact(2).map(part).collect()
    }
}

/// Decodes the blocks of one scan into their planes.
fn scan(
    parts: &[Part],
    header: &Header,
    coded: &[u8],
    restart: usize,
    routines: &SimdRoutines,
    planes: &mut [Samples],
) -> Result<(), String> {
    // A scan of one component has no more blocks than its samples need; others fill whole units.
    let units = match parts {
        [part] => header.blocks(&header.components[part.component]),
        _ => header.units(),
    };
    let (mut bits, mut means, mut block) = (Bits::new(coded), [0; 4], [0; 64]);
    let places = (0..units.1).flat_map(|y| (0..units.0).map(move |x| (x, y)));
    for (done, unit) in places.enumerate() {
        if restart > 0 && done > 0 && done % restart == 0 {
            bits.restart();
            means = [0; 4];
        }
        // What is lost is grey.
        let lost = bits.are_short();
        for part in parts {
            let (samples, stride) = &mut planes[part.component];
            for (y, x) in (0..part.blocks.1).flat_map(|y| (0..part.blocks.0).map(move |x| (y, x))) {
                match lost {
                    true => block.fill(128),
                    false => {
                        let coefficients =
                            bits.block(&part.dc, &part.ac, &mut means[part.component]);
                        (routines.idct_islow)(&coefficients, &part.quant, &mut block);
                    }
                }
                let at = 8 * ((unit.1 * part.blocks.1 + y) * *stride + unit.0 * part.blocks.0 + x);
                for (row, from) in block.chunks_exact(8).enumerate() {
                    samples[at + row * *stride..][..8].copy_from_slice(from);
                }
            }
        }
        if bits.are_cut() {
            return Err(format!(
                "the file is cut off: {done} of {} units of pixels are there",
                units.0 * units.1
            ));
        }
    }
    Ok(())
}
