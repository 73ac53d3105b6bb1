package manifest

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/soda"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// units are the units of angle, in degrees. The names are those of VOUnits 1.1 and of astropy.
var units = map[string]float64{
	"": 1, "deg": 1, "degree": 1, "degrees": 1, "arcmin": 1. / 60, "arcsec": 1. / 3600, "mas": 1. / 3.6e6,
	"rad": 180 / math.Pi, "radian": 180 / math.Pi, "hourangle": 15,
}

// scale returns what turns the values of a column into degrees.
func scale(f field, c Column) (float64, error) {
	if !c.angles {
		return 1, nil
	}
	factor, ok := units[f.unit]
	if !ok {
		return 0, usage("the column %s is in %.40q; want deg, arcmin, arcsec, mas, rad or hourangle", c.Name, f.unit)
	}
	return factor, nil
}

// scales returns what turns the values of each of Columns into degrees.
func (m *Reader) scales() []float64 {
	all := make([]float64, len(Columns))
	for i := range all {
		all[i] = 1
	}
	for _, f := range m.fields {
		if i := lookup(f.name); i >= 0 {
			all[i], _ = scale(f, Columns[i]) // checkFields has seen the error
		}
	}
	return all
}

// row makes a row of its cells. Label and ID are set even if something else is wrong.
func (m *Reader) row(cells []cell, scales []float64) (row Row, err error) {
	region, options := -1, make([]uws.Param, 0, 4)
	if id := m.defaults[column(forID)]; id.set {
		row.ID = id.text
	}
	keep := func(e error) {
		if err == nil {
			err = e
		}
	}
	var ra, dec string
	for i := range Columns {
		c, v := &Columns[i], strings.TrimSpace(cells[i].text)
		if !cells[i].set {
			continue
		}
		if c.use != forID && v == "" {
			continue
		}
		if scales[i] != 1 {
			v = convert(v, scales[i])
		}
		switch c.use {
		case forID:
			id, e := readID(v)
			row.ID = id
			keep(e)
		case forLabel:
			label, e := readLabel(v)
			row.Label = label
			keep(e)
		case forRA:
			ra = v
		case forDec:
			dec = v
		case forOption:
			options = append(options, uws.Param{Name: c.Name, Value: v})
		default:
			if region >= 0 {
				keep(usage("both %s and %s say a region; want one of them", Columns[region].Name, c.Name))
			}
			region = i
		}
	}
	if err != nil {
		return row, err
	}
	if err := row.place(ra, dec); err != nil {
		return row, err
	}
	return row, m.ask(&row, cells, scales, region, options)
}

// place reads the position of a row, which it need not have.
func (row *Row) place(ra, dec string) (err error) {
	switch {
	case ra == "" && dec == "":
		return nil
	case ra == "":
		return usage("ra is missing; dec is %.40q", dec)
	case dec == "":
		return usage("dec is missing; ra is %.40q", ra)
	}
	if row.RA, err = stencil.ParseNumber(ra, "ra"); err != nil {
		return err
	}
	if row.Dec, err = stencil.ParseNumber(dec, "dec"); err != nil {
		return err
	}
	row.Position = true
	return stencil.CheckDirection(row.RA, row.Dec, "the position")
}

// ask writes what a row asks for as parameters, and has package soda judge them.
func (m *Reader) ask(row *Row, cells []cell, scales []float64, region int, options []uws.Param) error {
	value := ""
	if region >= 0 {
		if value = strings.TrimSpace(cells[region].text); scales[region] != 1 {
			value = convert(value, scales[region])
		}
	}
	given := len(options)
	for i, d := range m.defaults {
		switch use := Columns[i].use; {
		case !d.set, use == forID:
		case use == forOption:
			if !has(options[:given], Columns[i].Name) {
				options = append(options, uws.Param{Name: Columns[i].Name, Value: d.text})
			}
		case region < 0:
			region, value = i, d.text
		}
	}
	if region < 0 {
		return usage("no region: want radius, size or stamp beside ra and dec, or one of POS, CIRCLE, POLYGON and PIXELS")
	}
	name, text, err := row.region(&Columns[region], value)
	if err != nil {
		return err
	}
	row.Params = append(append(make([]uws.Param, 0, 1+len(options)), uws.Param{Name: name, Value: text}), options...)
	request, err := soda.Read(row.Params)
	if err != nil {
		return err
	}
	if row.Position || len(request.Regions) == 0 || request.Regions[0].Stencil == nil {
		if row.ID == "" && !row.Position {
			return usage("neither ID nor a position: want one of them")
		}
		return nil
	}
	if centre, ok := request.Regions[0].Stencil.Centre(); ok {
		row.RA, row.Dec = centre.Degrees()
		row.Position = true
	}
	return nil
}

func has(params []uws.Param, name string) bool {
	for _, p := range params {
		if p.Name == name {
			return true
		}
	}
	return false
}

// region writes a region in SODA's words.
func (row *Row) region(c *Column, value string) (name, text string, err error) {
	if c.use == forRegion {
		return c.Name, value, nil
	}
	if !row.Position {
		return "", "", usage("no position: want ra and dec beside %s", c.Name)
	}
	words := numbers(value)
	if want := map[use]int{forRadius: 1, forSize: 2, forStamp: 2}[c.use]; len(words) == 0 || len(words) > want {
		return "", "", usage("%s has %d numbers; want %s", c.Name, len(words), [...]string{"", "one", "one or two"}[want])
	}
	for _, w := range words {
		v, err := stencil.ParseNumber(w, c.Name)
		switch {
		case err != nil:
			return "", "", err
		case !(v > 0):
			return "", "", usage("%s is %.40s; want more than 0", c.Name, w)
		}
	}
	at := strconv.FormatFloat(row.RA, 'g', -1, 64) + " " + strconv.FormatFloat(row.Dec, 'g', -1, 64) + " "
	switch c.use {
	case forRadius:
		return "CIRCLE", at + words[0], nil
	case forStamp:
		for i := range words {
			words[i] = strings.TrimSuffix(words[i], ".0") // of tables that keep integers as floats
		}
	}
	name = strings.ToUpper(c.Name)
	return name, at + words[0] + " " + words[len(words)-1], nil
}

// numbers divides the value of a cell: "64", "64 32", "64,32", "[64, 32]".
func numbers(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ',' || r == '[' || r == ']' || r == '\t' })
}

// convert multiplies the numbers of a value; what is no number stays as it is, to be told of.
func convert(value string, factor float64) string {
	words := numbers(value)
	for i, w := range words {
		if v, err := stencil.ParseNumber(w, ""); err == nil {
			words[i] = strconv.FormatFloat(v*factor, 'g', -1, 64)
		}
	}
	return strings.Join(words, " ")
}

func readID(v string) (string, error) {
	switch {
	case v == "":
		return "", usage("ID is empty; want the publisher DID of a dataset, or no such column to cut every image that holds the position")
	case len(v) > MaxID:
		return "", usage("ID has %d bytes; want at most %d", len(v), MaxID)
	case !printable(v):
		return "", usage("ID %.40q holds a control character, or is no UTF-8; want text", v)
	}
	return v, nil
}

// readLabel returns what can be shown of a label even if it is refused.
func readLabel(v string) (string, error) {
	if !printable(v) {
		return "", fault.New(fault.Usage, "manifest.Rows", "label %.40q holds a control character, or is no UTF-8; want text", v)
	}
	if n := utf8.RuneCountInString(v); n > MaxLabel {
		return string([]rune(v)[:MaxLabel]), usage("label has %d characters; want at most %d", n, MaxLabel)
	}
	return v, nil
}
