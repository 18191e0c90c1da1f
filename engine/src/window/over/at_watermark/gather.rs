//! Rows of several batches as one column, in any order.

use arrow::array::{Array, ArrayRef, make_array};
use arrow::buffer::Buffer;
use arrow::compute::interleave;
use arrow::datatypes::{ArrowNativeType, DataType};

use crate::error::Result;

/// Where rows come from: array, row.
pub(super) type Places = [(usize, usize)];

/// The rows of `arrays`, all of one type, at these places. Numbers without nulls are copied
/// without a look at anything else; rows that follow each other in one array are not copied.
pub(super) fn gather(arrays: &[&ArrayRef], places: &Places) -> Result<ArrayRef> {
    let Some(&(array, row)) = places.first() else {
        return Ok(arrays[0].slice(0, 0));
    };
    if arrays.len() == 1 && (row..).zip(places).all(|(row, place)| place.1 == row) {
        return Ok(arrays[array].slice(row, places.len()));
    }
    let data_type = arrays[0].data_type();
    let is_plain = |array: &&ArrayRef| array.nulls().is_none() && array.data_type() == data_type;
    if data_type.is_primitive() && arrays.iter().all(is_plain) {
        let copied = match data_type.primitive_width() {
            Some(4) => Some(copy::<u32>(arrays, places)),
            Some(8) => Some(copy::<u64>(arrays, places)),
            // Intervals of 16 bytes need not stand where numbers of 16 bytes must.
            Some(16) if matches!(data_type, DataType::Decimal128(..)) => {
                Some(copy::<i128>(arrays, places))
            }
            _ => None,
        };
        if let Some(buffer) = copied {
            let data = arrays[0].to_data().into_builder().offset(0).len(places.len());
            return Ok(make_array(data.buffers(vec![buffer]).nulls(None).build()?));
        }
    }
    let arrays: Vec<&dyn Array> = arrays.iter().map(|array| array.as_ref()).collect();
    Ok(interleave(&arrays, places)?)
}

fn copy<T: ArrowNativeType>(arrays: &[&ArrayRef], places: &Places) -> Buffer {
    let data: Vec<_> = arrays.iter().map(|array| array.to_data()).collect();
    // From the slice's first row on: a decoder's column may be part of a larger buffer.
    let values: Vec<&[T]> = data.iter().map(|data| data.buffer::<T>(0)).collect();
    let copied: Vec<T> = match values.as_slice() {
        [only] => places.iter().map(|&(_, row)| only[row]).collect(),
        values => places.iter().map(|&(array, row)| values[array][row]).collect(),
    };
    Buffer::from_vec(copied)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BooleanArray, Decimal128Array, Float32Array, Int16Array, Int64Array, StringArray,
        TimestampMillisecondArray,
    };

    use super::*;

    #[test]
    fn rows_are_those_of_interleave_whatever_the_type() {
        let places = [(0, 3), (1, 0), (0, 1), (1, 2), (0, 1)];
        let ends = |array: ArrayRef| [array.slice(0, 5), array.slice(4, 3)];
        let times = TimestampMillisecondArray::from_iter_values(0..9).with_timezone("UTC");
        let cents = Decimal128Array::from_iter_values(0..9).with_precision_and_scale(9, 2).unwrap();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(0..9)),
            Arc::new(Int64Array::from_iter((0..9).map(|i| (i % 3 > 0).then_some(i)))),
            Arc::new(Float32Array::from_iter_values((0..9).map(|i| i as f32))),
            Arc::new(Int16Array::from_iter_values(0..9)),
            Arc::new(times),
            Arc::new(cents),
            Arc::new(BooleanArray::from_iter((0..9).map(|i| Some(i % 2 == 0)))),
            Arc::new(StringArray::from_iter_values((0..9).map(|i| i.to_string()))),
        ];
        for column in columns {
            let parts = ends(column);
            let known: Vec<&dyn Array> = parts.iter().map(|part| part.as_ref()).collect();
            let parts: Vec<&ArrayRef> = parts.iter().collect();
            let expected = interleave(&known, &places).unwrap();
            assert_eq!(&gather(&parts, &places).unwrap(), &expected);
            assert_eq!(
                gather(&parts[..1], &[(0, 1), (0, 2)]).unwrap().to_data(),
                parts[0].slice(1, 2).to_data()
            );
            assert_eq!(gather(&parts, &[]).unwrap().len(), 0);
        }
    }
}
