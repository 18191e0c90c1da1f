//! Every aggregate of every type: the naive answer, or the error that names both.
//!
//! The rows of a column are small integers; each type shows them in its own way, in an order that
//! is theirs. So what picks rows (a least value, a list) is told by numbers of rows, and what
//! computes by the numbers themselves.

use arrow::array::types::*;
use arrow::compute::take;
use arrow::datatypes::{IntervalUnit, i256};

use super::*;
use crate::time::seconds;

/// What can be computed of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Float,
    /// With two digits behind the point.
    Decimal,
    Bool,
    Duration,
    /// Ordered, and nothing else: times, text.
    Ordered,
    /// Counted, and nothing else.
    Opaque,
}

fn types() -> Vec<(DataType, Kind)> {
    use DataType::*;
    use TimeUnit::*;
    let dictionary = |value: DataType| Dictionary(Box::new(Int16), Box::new(value));
    let integers = [Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64];
    let mut all: Vec<(DataType, Kind)> = Vec::new();
    all.extend(integers.map(|data_type| (data_type, Kind::Integer)));
    all.extend([Float16, Float32, Float64].map(|data_type| (data_type, Kind::Float)));
    let decimals = [Decimal32(7, 2), Decimal64(15, 2), Decimal128(30, 2)];
    all.extend(decimals.map(|data_type| (data_type, Kind::Decimal)));
    all.push((Boolean, Kind::Bool));
    let units = [Second, Millisecond, Microsecond, Nanosecond];
    all.extend(units.map(|unit| (Duration(unit), Kind::Duration)));
    all.extend(units.map(|unit| (Timestamp(unit, Some("UTC".into())), Kind::Ordered)));
    all.extend(units[..2].iter().map(|unit| (Time32(*unit), Kind::Ordered)));
    all.extend(units[2..].iter().map(|unit| (Time64(*unit), Kind::Ordered)));
    let ordered = [Date32, Date64, Utf8, LargeUtf8, Utf8View, dictionary(Utf8)];
    all.extend(ordered.map(|data_type| (data_type, Kind::Ordered)));
    all.push((dictionary(Int32), Kind::Integer));
    let intervals = [IntervalUnit::YearMonth, IntervalUnit::DayTime, IntervalUnit::MonthDayNano];
    all.extend(intervals.map(|unit| (Interval(unit), Kind::Opaque)));
    let bytes = [Binary, LargeBinary, BinaryView, FixedSizeBinary(3), Decimal256(50, 2)];
    all.extend(bytes.map(|data_type| (data_type, Kind::Opaque)));
    all
}

/// The rows of a column as a column of a type.
fn column(data_type: &DataType, rows: &[Option<i64>]) -> ArrayRef {
    use DataType::*;
    let cast = |array: ArrayRef, to: &DataType| arrow::compute::cast(&array, to).expect("possible");
    let ints: ArrayRef = Arc::new(Int64Array::from(rows.to_vec()));
    let short: ArrayRef = cast(ints.clone(), &Int32);
    let text = || -> StringArray { rows.iter().map(|v| v.map(|v| format!("{v:03}"))).collect() };
    match data_type {
        Dictionary(_, value) => cast(column(value, rows), data_type),
        Utf8 | LargeUtf8 | Utf8View => cast(Arc::new(text()), data_type),
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => {
            cast(cast(Arc::new(text()), &Binary), data_type)
        }
        Decimal32(..) => {
            let array = short.as_primitive::<Int32Type>().reinterpret_cast::<Decimal32Type>();
            Arc::new(array.with_data_type(data_type.clone()))
        }
        Decimal64(..) => {
            let array = ints.as_primitive::<Int64Type>().reinterpret_cast::<Decimal64Type>();
            Arc::new(array.with_data_type(data_type.clone()))
        }
        Decimal128(..) => {
            let array: Decimal128Array = rows.iter().map(|v| v.map(i128::from)).collect();
            Arc::new(array.with_data_type(data_type.clone()))
        }
        Decimal256(..) => {
            let number = |v: i64| i256::from_i128(v.into());
            let array: Decimal256Array = rows.iter().map(|v| v.map(number)).collect();
            Arc::new(array.with_data_type(data_type.clone()))
        }
        Interval(IntervalUnit::YearMonth) => {
            let months = short.as_primitive::<Int32Type>();
            Arc::new(months.reinterpret_cast::<IntervalYearMonthType>())
        }
        Interval(IntervalUnit::DayTime) => {
            let of = |v: i64| IntervalDayTime::new(v as i32, 0);
            Arc::new(rows.iter().map(|v| v.map(of)).collect::<IntervalDayTimeArray>())
        }
        Interval(IntervalUnit::MonthDayNano) => {
            let of = |v: i64| IntervalMonthDayNano::new(0, 0, v);
            Arc::new(rows.iter().map(|v| v.map(of)).collect::<IntervalMonthDayNanoArray>())
        }
        Time32(_) | Date32 => cast(short, data_type),
        Boolean => Arc::new(rows.iter().map(|v| v.map(|v| v != 0)).collect::<BooleanArray>()),
        _ => cast(ints, data_type),
    }
}

fn functions() -> Vec<Function> {
    use Function::*;
    vec![
        Count,
        Sum,
        Avg,
        Min,
        Max,
        Variance(Spread::Sample),
        StdDev(Spread::Population),
        Covariance(Spread::Population),
        Correlation,
        First,
        Last,
        ArgMin,
        ArgMax,
        Quantile(0.5),
        ApproxQuantile(0.0),
        Distinct,
        ApproxDistinct,
        TopK(1),
        ApproxTopK(1),
        Any,
        All,
        BitAnd,
        BitOr,
        BitXor,
        Histogram { low: 0.0, high: 2.0, bins: 2 },
        Ewma { half_life: seconds(7) },
        List,
    ]
}

fn is_allowed(function: &Function, kind: Kind) -> bool {
    use Function::*;
    match function {
        Count => true,
        Sum | Avg => !matches!(kind, Kind::Ordered | Kind::Opaque),
        Min | Max | First | Last | ArgMin | ArgMax | Distinct | ApproxDistinct | TopK(_)
        | ApproxTopK(_) | List => kind != Kind::Opaque,
        Any | All => kind == Kind::Bool,
        BitAnd | BitOr | BitXor => kind == Kind::Integer,
        _ => matches!(kind, Kind::Integer | Kind::Float | Kind::Decimal),
    }
}

/// What an aggregate is expected to be.
#[derive(Debug)]
enum Want {
    /// Of the column's type: the value of this row, or null.
    Row(Option<usize>),
    Rows(Option<Vec<usize>>),
    /// The value of a row, and how often it came: the first record of a list.
    Top(Option<(usize, i64)>),
    Int(Option<i64>),
    /// In units of the last place.
    Wide(Option<i128>),
    Float(Option<f64>),
    Bool(Option<bool>),
    Ints(Option<Vec<i64>>),
}

/// The definition, over rows in the order of (time, position).
fn want(function: &Function, kind: Kind, rows: &[Option<i64>]) -> Want {
    use Function::*;
    let known: Vec<(usize, i64)> =
        rows.iter().enumerate().filter_map(|(at, v)| Some((at, (*v)?))).collect();
    let ints: Vec<i64> = known.iter().map(|(_, v)| *v).collect();
    let some = !ints.is_empty();
    let scale = if kind == Kind::Decimal { 100.0 } else { 1.0 };
    let floats: Vec<f64> = ints.iter().map(|v| *v as f64 / scale).collect();
    let least = known.iter().min_by_key(|(at, v)| (*v, *at)).map(|(at, _)| *at);
    let most = known.iter().min_by_key(|(at, v)| (-*v, *at)).map(|(at, _)| *at);
    let sum: i64 = ints.iter().sum();
    let bit = |f: fn(i64, i64) -> i64| Want::Int(ints.iter().copied().reduce(f));
    match function {
        Count => Want::Int(Some(ints.len() as i64)),
        Sum if kind == Kind::Float => Want::Float(some.then_some(sum as f64)),
        Sum if kind == Kind::Decimal => Want::Wide(some.then_some(sum.into())),
        Sum => Want::Int(some.then_some(sum)),
        Avg if kind == Kind::Duration => {
            let n = ints.len().max(1) as f64;
            Want::Int(some.then(|| (sum as f64 / n).round() as i64))
        }
        Avg => Want::Float(some.then(|| sum as f64 / ints.len() as f64 / scale)),
        Min | ArgMin => Want::Row(least),
        Max | ArgMax => Want::Row(most),
        First => Want::Row(known.first().map(|(at, _)| *at)),
        Last => Want::Row(known.last().map(|(at, _)| *at)),
        List => Want::Rows(some.then(|| known.iter().map(|(at, _)| *at).collect())),
        Distinct | ApproxDistinct => {
            let values: std::collections::BTreeSet<i64> = ints.into_iter().collect();
            Want::Int(Some(values.len() as i64))
        }
        TopK(_) | ApproxTopK(_) => Want::Top(naive::frequencies(&ints).first().map(|&(v, n)| {
            let at = known.iter().find(|(_, known)| *known == v).map_or(0, |(at, _)| *at);
            (at, n)
        })),
        Any => Want::Bool(ints.iter().map(|v| *v != 0).reduce(|a, b| a || b)),
        All => Want::Bool(ints.iter().map(|v| *v != 0).reduce(|a, b| a && b)),
        BitAnd => bit(|a, b| a & b),
        BitOr => bit(|a, b| a | b),
        BitXor => bit(|a, b| a ^ b),
        Variance(_) => Want::Float(naive::variance(&floats, 1)),
        StdDev(_) => Want::Float(naive::variance(&floats, 0).map(f64::sqrt)),
        // Of the column and itself.
        Covariance(_) => Want::Float(naive::variance(&floats, 0)),
        Correlation => Want::Float(naive::variance(&floats, 0).filter(|v| *v > 0.0).map(|_| 1.0)),
        Quantile(q) => Want::Float(naive::quantile(&floats, *q)),
        ApproxQuantile(_) => Want::Float(floats.iter().copied().reduce(f64::min)),
        Histogram { .. } => Want::Ints(some.then(|| {
            let below = |bound: f64| floats.iter().filter(|v| **v < bound).count() as i64;
            let all = floats.len() as i64;
            vec![below(0.0), below(1.0) - below(0.0), below(2.0) - below(1.0), all - below(2.0)]
        })),
        Ewma { .. } => {
            let weighted: Vec<(i64, f64)> =
                known.iter().zip(&floats).map(|((at, _), v)| (*at as i64, *v)).collect();
            Want::Float(naive::ewma(&weighted, 7.0))
        }
        User(..) => unreachable!("not among the functions"),
    }
}

/// The aggregate of all rows, of which the n-th has time n: one window, in two panes.
fn aggregate_of(function: &Function, input: &ArrayRef) -> Result<ArrayRef> {
    let arguments = match function {
        Function::Covariance(_) | Function::Correlation | Function::ArgMin | Function::ArgMax => 2,
        _ => 1,
    };
    let aggregate = aggregate(function.clone(), &vec!["x"; arguments]);
    let field = Field::new("x", input.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    let plan = AggregatePlan::new(std::slice::from_ref(&aggregate), &schema, TimeUnit::Second)?;
    let batch = RecordBatch::try_new(schema, vec![input.clone()])?;
    let columns = plan.read(&plan.arrays(&batch)?)?;
    let times: Vec<i64> = (0..input.len() as i64).collect();
    let position = |i| Position { partition: 0, offset: i as u64 };
    let positions: Vec<Position> = (0..input.len()).map(position).collect();
    let mut whole = Table::new(&plan);
    whole.resize(1);
    let all: Vec<u32> = (0..input.len() as u32).collect();
    for rows in all.chunks(input.len().div_ceil(2).max(1)) {
        let mut part = Table::new(&plan);
        part.resize(1);
        let positions = Positions::Listed(&positions);
        let set = RowSet { rows: Rows::Some(rows), times: &times, positions };
        part.add_rows(&plan.lifts, &columns, &set, &vec![0; rows.len()])?;
        whole.combine(&plan.lifts, &part, &[0])?;
    }
    let result = whole.lower(&plan)?.remove(0);
    assert_eq!(result.data_type(), plan.fields[0].data_type());
    Ok(result)
}

/// The rows of the plain column, as one value an aggregate gives.
fn rows_of(plain: &ArrayRef, rows: &[Option<usize>]) -> ArrayRef {
    let rows: UInt32Array = rows.iter().map(|row| row.map(|row| row as u32)).collect();
    take(plain, &rows, None).expect("rows of it")
}

fn check(function: &Function, kind: Kind, input: &ArrayRef, rows: &[Option<i64>]) {
    let data_type = super::super::plan::plain(input.data_type());
    let case = format!("{}() of {data_type}", function.name());
    let answer = aggregate_of(function, input);
    if !is_allowed(function, kind) {
        let error = answer.expect_err(&case).to_string();
        assert!(error.contains(&format!("{case} is not supported")), "{error}");
        assert!(error.contains("aggregate "), "it advises: {error}");
        return;
    }
    let got = answer.unwrap_or_else(|error| panic!("{case}: {error}"));
    let plain = arrow::compute::cast(input, &data_type).expect("its own values");
    let int = |array: &ArrayRef| -> Option<i64> {
        let array = arrow::compute::cast(array, &DataType::Int64).expect("an integer");
        array.is_valid(0).then(|| array.as_primitive::<Int64Type>().value(0))
    };
    match want(function, kind, rows) {
        Want::Row(row) => assert_eq!(&got, &rows_of(&plain, &[row]), "{case}"),
        Want::Rows(rows) => {
            let list = got.is_valid(0).then(|| got.as_list::<i32>().value(0));
            let rows = rows.map(|rows| rows.into_iter().map(Some).collect::<Vec<_>>());
            assert_eq!(list, rows.map(|rows| rows_of(&plain, &rows)), "{case}");
        }
        Want::Top(top) => {
            let list = got.is_valid(0).then(|| got.as_list::<i32>().value(0));
            assert_eq!(list.is_some(), top.is_some(), "{case}");
            if let (Some(list), Some((row, count))) = (list, top) {
                let record = list.as_struct();
                assert_eq!(record.column(0), &rows_of(&plain, &[Some(row)]), "{case}");
                assert_eq!(record.column(1).as_primitive::<Int64Type>().value(0), count, "{case}");
            }
        }
        Want::Int(value) => assert_eq!(int(&got), value, "{case}: {got:?}"),
        Want::Wide(value) => {
            assert_eq!(got.data_type(), &DataType::Decimal128(38, 2), "{case}");
            let got = got.as_primitive::<Decimal128Type>();
            assert_eq!(got.is_valid(0).then(|| got.value(0)), value, "{case}");
        }
        Want::Float(value) => {
            let got = got.as_primitive::<Float64Type>();
            let got = got.is_valid(0).then(|| got.value(0));
            let tolerance =
                if matches!(function, Function::ApproxQuantile(_)) { 0.02 } else { 1e-9 };
            let same = match (got, value) {
                (Some(got), Some(value)) => (got - value).abs() <= tolerance,
                (got, value) => got.is_none() && value.is_none(),
            };
            assert!(same, "{case}: {got:?}, not {value:?}");
        }
        Want::Bool(value) => {
            let got = got.as_boolean();
            assert_eq!(got.is_valid(0).then(|| got.value(0)), value, "{case}");
        }
        Want::Ints(values) => {
            let list = got.is_valid(0).then(|| got.as_list::<i32>().value(0));
            let list = list.map(|list| list.as_primitive::<Int64Type>().values().to_vec());
            assert_eq!(list, values, "{case}");
        }
    }
}

#[test]
fn every_aggregate_of_every_type_is_its_definition_or_says_that_there_is_none() {
    let cases: [Vec<Option<i64>>; 4] = [
        vec![],
        vec![None, None, None],
        vec![Some(1)],
        vec![
            Some(1),
            None,
            Some(0),
            Some(100),
            Some(1),
            Some(27),
            None,
            Some(3),
            Some(100),
            Some(1),
        ],
    ];
    for (data_type, kind) in types() {
        for rows in &cases {
            let bools = |v: i64| i64::from(v != 0);
            let rows: Vec<Option<i64>> = match kind {
                Kind::Bool => rows.iter().map(|v| v.map(bools)).collect(),
                _ => rows.clone(),
            };
            let input = column(&data_type, &rows);
            assert_eq!(input.data_type(), &data_type);
            for function in functions() {
                check(&function, kind, &input, &rows);
            }
        }
    }
}

#[test]
fn distinct_values_of_every_type_add_up_as_values_do() {
    let rows = [Some(4), Some(1), None, Some(4), Some(2), Some(1)];
    for (data_type, kind) in types() {
        let input = column(&data_type, &rows);
        let field = Field::new("x", data_type.clone(), true);
        let schema = Arc::new(Schema::new(vec![field]));
        let count = Aggregate { distinct: true, ..aggregate(Function::Count, &["x"]) };
        let plan = AggregatePlan::new(&[count], &schema, TimeUnit::Second);
        if kind == Kind::Opaque {
            let error = plan.expect_err("no values").to_string();
            assert!(error.contains("\"result\""), "{error}");
            continue;
        }
        let plan = plan.expect("values");
        let batch = RecordBatch::try_new(schema, vec![input]).expect("the schema's");
        let columns = plan.read(&plan.arrays(&batch).expect("read")).expect("read");
        let positions = vec![Position::default(); rows.len()];
        let set = RowSet {
            rows: Rows::All(rows.len()),
            times: &[0; 6],
            positions: Positions::Listed(&positions),
        };
        let mut table = Table::new(&plan);
        table.resize(1);
        table.add_rows(&plan.lifts, &columns, &set, &[0; 6]).expect("taken");
        let got = table.lower(&plan).expect("lowered").remove(0);
        let expected = if kind == Kind::Bool { 1 } else { 3 };
        assert_eq!(got.as_primitive::<Int64Type>().value(0), expected, "{data_type}");
    }
}

#[test]
fn means_of_durations_are_the_nearest_halves_away_from_0() {
    for (sum, n, mean) in [
        (3, 2, 2),
        (-3, 2, -2),
        (-1, 3, 0),
        (2, 3, 1),
        (0, 0, 0),
        (i128::from(i64::MIN) * 3, 3, i64::MIN),
        (i128::from(i64::MAX) * 7, 7, i64::MAX),
    ] {
        assert_eq!(nearest(sum, n), mean, "{sum} of {n}");
    }
}
