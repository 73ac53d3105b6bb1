package api

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/footprint"
	"github.com/seltzer-soda/seltzer/pkg/soda"
	"github.com/seltzer-soda/seltzer/pkg/votable"
)

// Identifiers of the standards that the service keeps.
const (
	syncID  = "ivo://ivoa.net/std/SODA#sync-1.0"
	asyncID = "ivo://ivoa.net/std/SODA#async-1.0"
	linksID = "ivo://ivoa.net/std/DataLink#links-1.1"
)

// descriptor describes /sync or /async for one dataset (DataLink 1.1, section 4; SODA 1.0,
// section 4.1): which parameters there are, and what they may be for it.
func (s *server) descriptor(d *described, id, description, standard, path string) votable.Resource {
	text := func(name, value string) votable.Param {
		return votable.Param{Field: votable.Field{Name: name, Datatype: "char", Arraysize: "*"}, Value: value}
	}
	accessURL := text("accessURL", s.PublicURL+path)
	accessURL.UCD = "meta.ref.url"
	params := []votable.Param{text("standardID", standard), accessURL, text("contentType", "application/fits")}
	if circle, ok := d.footprint.Example(); ok && standard == syncID {
		example := text("exampleURL", s.PublicURL+path+"?"+url.Values{"ID": {d.id}, "CIRCLE": {circle}}.Encode())
		example.Description = "The circle " + circle
		params = append(params, example)
	}
	return votable.Resource{
		ID: id, Name: id, Type: "meta", Utype: "adhoc:service", Description: description,
		Params: params,
		Groups: []votable.Group{{Name: "inputParams", Params: inputParams(d.footprint, d.hdus)}},
	}
}

// inputParams returns the parameters as a descriptor names them: the ID comes from the row,
// all others from the user.
func inputParams(f *footprint.Footprint, hdus []*fits.HDU) (params []votable.Param) {
	for _, p := range soda.Announced() {
		param := votable.Param{Field: votable.Field{
			Name: p.Name, Datatype: p.Datatype, Arraysize: p.Arraysize, Unit: p.Unit, UCD: p.UCD, Xtype: p.Xtype, Description: p.Description,
		}}
		if p.Arraysize == "1" {
			param.Arraysize = "" // one number, not an array of one
		}
		if p.Name == "ID" {
			param.Ref = idColumn
		} else {
			param.Values = domain(p, f, hdus)
		}
		params = append(params, param)
	}
	return params
}

// domain returns what a parameter may be for a dataset: its words, or the largest region
// that makes sense; nil if there is nothing to say.
func domain(p soda.Parameter, f *footprint.Footprint, hdus []*fits.HDU) *votable.Values {
	v := &votable.Values{}
	largest := func(value string) *votable.Values {
		v.Max = &votable.Bound{Value: value}
		return v
	}
	area := f.Area
	switch {
	case p.Options != nil:
		for _, o := range p.Options {
			v.Options = append(v.Options, votable.Option{Value: o})
		}
		return v
	case p.Name == "HDU":
		v.Min = &votable.Bound{Value: "0"}
		return largest(strconv.Itoa(len(hdus) - 1))
	case len(f.Images) == 0:
		return nil
	case p.Name == "CIRCLE":
		return largest(area.Circle.String())
	case p.Name == "POLYGON" && area.Polygon != nil:
		return largest(area.Vertices())
	case p.Name == "SIZE" && !area.Circle.Whole():
		c := area.Circle
		c.Radius *= 2
		words := strings.Fields(c.String())
		return largest(strings.Join(append(words, words[2]), " "))
	}
	return nil
}
