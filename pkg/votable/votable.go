// Package votable writes and reads VOTable documents (Ochsenbein et al., REC-VOTable-1.4,
// 2019), as far as DataLink, error documents and tables of requests need them.
//
// [Write] streams: the rows of a table come from an iterator. [NewReader] reads the first
// table of a document, serialized as TABLEDATA, BINARY or BINARY2, row by row; what it
// holds in memory does not grow with the document.
//
// The numbers of sections in comments are those of VOTable 1.4.
package votable

import "iter"

// Document is a VOTable document.
type Document struct {
	Resources []Resource `xml:"RESOURCE"`
}

// Resource groups tables or, with Utype adhoc:service, describes a service.
type Resource struct {
	ID          string   `xml:"ID,attr,omitempty"` // an XML name, of its own in the document
	Name        string   `xml:"name,attr,omitempty"`
	Type        string   `xml:"type,attr,omitempty"` // results or meta
	Utype       string   `xml:"utype,attr,omitempty"`
	Description string   `xml:"DESCRIPTION,omitempty"`
	Infos       []Info   `xml:"INFO"`
	Params      []Param  `xml:"PARAM"`
	Groups      []Group  `xml:"GROUP"`
	Links       []Link   `xml:"LINK"` // before a table only
	Tables      []*Table `xml:"TABLE"`
}

// Info is a remark; Text may tell more than Value.
type Info struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
	Text  string `xml:",chardata"`
}

// Group holds parameters that belong together.
type Group struct {
	ID          string  `xml:"ID,attr,omitempty"`
	Name        string  `xml:"name,attr,omitempty"`
	UCD         string  `xml:"ucd,attr,omitempty"`
	Utype       string  `xml:"utype,attr,omitempty"`
	Description string  `xml:"DESCRIPTION,omitempty"`
	Params      []Param `xml:"PARAM"`
}

// Field describes a column, or the type of a [Param].
type Field struct {
	ID          string  `xml:"ID,attr,omitempty"`
	Name        string  `xml:"name,attr"`
	Datatype    string  `xml:"datatype,attr"`            // boolean, bit, unsignedByte, short, int, long, char, …
	Arraysize   string  `xml:"arraysize,attr,omitempty"` // "" one, 3, *, 10*, 2x3, 2x*
	Unit        string  `xml:"unit,attr,omitempty"`
	UCD         string  `xml:"ucd,attr,omitempty"`
	Utype       string  `xml:"utype,attr,omitempty"`
	Xtype       string  `xml:"xtype,attr,omitempty"`
	Ref         string  `xml:"ref,attr,omitempty"` // ID of another element
	Description string  `xml:"DESCRIPTION,omitempty"`
	Values      *Values `xml:"VALUES"`
	Links       []Link  `xml:"LINK"`
}

// Param is a column of one value for all rows.
type Param struct {
	Field
	Value string `xml:"value,attr"`
}

// Values is the domain of a field.
type Values struct {
	Null    string   `xml:"null,attr,omitempty"` // the integer that stands for no value
	Min     *Bound   `xml:"MIN"`
	Max     *Bound   `xml:"MAX"`
	Options []Option `xml:"OPTION"`
}

// Bound is an end of the domain of a field: of an array of numbers, all of them.
type Bound struct {
	Value string `xml:"value,attr"`
}

// Option is one of the values that a field may have.
type Option struct {
	Name  string `xml:"name,attr,omitempty"`
	Value string `xml:"value,attr"`
}

// Link points elsewhere.
type Link struct {
	Role  string `xml:"content-role,attr,omitempty"`
	Type  string `xml:"content-type,attr,omitempty"`
	Title string `xml:"title,attr,omitempty"`
	Href  string `xml:"href,attr,omitempty"`
}

// Table holds rows.
type Table struct {
	ID          string
	Name        string
	Description string
	Params      []Param
	Fields      []Field

	// Rows yields the cells of each row, one for each field: nil (no value; not for arrays
	// of a fixed size), string, bool, int, int64, float64, []int64 or []float64. An error ends the table; the
	// document then says so behind it. Nil means no rows.
	Rows iter.Seq2[[]any, error]

	failed error // of Rows
}
