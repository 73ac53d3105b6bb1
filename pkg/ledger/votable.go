package ledger

import (
	"io"
	"iter"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/votable"
)

// columns is the table of the columns of a VOTable, in the order of [Row].
var columns = []struct {
	votable.Field
	cell func(r *Row) any
}{
	{votable.Field{Name: "row", Datatype: "long", UCD: "meta.record", Description: "number of the row in the manifest, from 1"}, func(r *Row) any { return r.Row }},
	{votable.Field{Name: "cutout", Datatype: "int", UCD: "meta.number", Description: "number among the cutouts of its row, from 1"}, func(r *Row) any { return int64(r.Cutout) }},
	{votable.Field{Name: "label", Datatype: "unicodeChar", Arraysize: "*", UCD: "meta.id", Description: "of the row"}, func(r *Row) any { return r.Label }},
	{votable.Field{Name: "id", Datatype: "unicodeChar", Arraysize: "*", UCD: "meta.ref.url;meta.curation", Description: "publisher DID of the dataset"}, func(r *Row) any { return r.ID }},
	{votable.Field{Name: "status", Datatype: "char", Arraysize: "*", UCD: "meta.code.status", Description: "ok, empty (no pixel selected), failed or absent (not reached)"}, func(r *Row) any { return string(r.Status) }},
	{votable.Field{Name: "reason", Datatype: "unicodeChar", Arraysize: "*", UCD: "meta.note", Description: "why there is no cutout"}, func(r *Row) any { return r.Reason }},
	{votable.Field{Name: "object", Datatype: "char", Arraysize: "*", UCD: "meta.id;meta.file", Description: "that holds the cutout"}, func(r *Row) any { return r.Object }},
	{votable.Field{Name: "name", Datatype: "char", Arraysize: "*", UCD: "meta.file", Description: "of the cutout's file in its package"}, func(r *Row) any { return r.Name }},
	{votable.Field{Name: "offset", Datatype: "long", Unit: "byte", Description: "of the cutout's bytes in the object"}, func(r *Row) any { return optional(r.Offset) }},
	{votable.Field{Name: "length", Datatype: "long", Unit: "byte", UCD: "phys.size;meta.file", Description: "of the cutout"}, func(r *Row) any { return optional(r.Length) }},
	{votable.Field{Name: "box", Datatype: "long", Arraysize: "*", UCD: "instr.pixel", Description: "first and last pixel of each axis of the source's image, from 1"}, func(r *Row) any { return r.Box }},
	{votable.Field{Name: "overlap", Datatype: "double", Description: "part of the pixels that were asked for that the image has"}, func(r *Row) any { return optional(r.Overlap) }},
	{votable.Field{Name: "valid", Datatype: "long", UCD: "meta.number;instr.pixel", Description: "pixels of the image that have a value"}, func(r *Row) any { return optional(r.Valid) }},
	{votable.Field{Name: "min", Datatype: "double", UCD: "stat.min", Description: "of the pixels"}, func(r *Row) any { return optional(r.Min) }},
	{votable.Field{Name: "max", Datatype: "double", UCD: "stat.max", Description: "of the pixels"}, func(r *Row) any { return optional(r.Max) }},
	{votable.Field{Name: "mean", Datatype: "double", UCD: "stat.mean", Description: "of the pixels"}, func(r *Row) any { return optional(r.Mean) }},
}

// optional returns what v points to, or no value.
func optional[T any](v *T) any {
	if v == nil {
		return nil
	}
	return *v
}

// votableWriter hands rows to votable.Write, which asks for them, in a goroutine of its own.
// It writes only while Write or Close wait.
type votableWriter struct {
	rows chan []Row
	took chan struct{}
	done chan struct{}
	err  error // of votable.Write; to be read when done is closed
}

func openVOTable(w io.Writer) (Writer, error) {
	v := &votableWriter{rows: make(chan []Row), took: make(chan struct{}), done: make(chan struct{})}
	t := &votable.Table{Name: "results", Rows: v.cells()}
	for _, c := range columns {
		t.Fields = append(t.Fields, c.Field)
	}
	go func() {
		defer close(v.done)
		v.err = votable.Write(w, &votable.Document{Resources: []votable.Resource{{Type: "results",
			Infos: []votable.Info{{Name: votable.QueryStatus, Value: "OK"}}, Tables: []*votable.Table{t}}}})
	}()
	return v, nil
}

func (v *votableWriter) cells() iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		cells := make([]any, len(columns))
		for rows := range v.rows {
			for i := range rows {
				for k := range columns {
					cells[k] = columns[k].cell(&rows[i])
				}
				if !yield(cells, nil) {
					return
				}
			}
			v.took <- struct{}{}
		}
	}
}

func (v *votableWriter) Write(rows ...Row) error {
	select {
	case v.rows <- rows:
	case <-v.done:
		return v.failed()
	}
	select {
	case <-v.took:
		return nil
	case <-v.done:
		return v.failed()
	}
}

func (v *votableWriter) failed() error {
	if v.err == nil {
		return fault.New(fault.Internal, "ledger.votable", "a row behind the end of the table")
	}
	return v.err
}

func (v *votableWriter) Close() error {
	close(v.rows)
	<-v.done
	return v.err
}
