package api

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/soda"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// checkTime bounds all checks of /availability together; checkEvery is how long they hold.
const (
	checkTime  = 5 * time.Second
	checkEvery = 2 * time.Second
)

func encode(doc any) func(*bytes.Buffer) error {
	return func(b *bytes.Buffer) error {
		b.WriteString(xml.Header)
		e := xml.NewEncoder(b)
		e.Indent("", "  ")
		return e.Encode(doc)
	}
}

type availabilityXML struct {
	XMLName   xml.Name `xml:"vosi:availability"`
	XMLNS     string   `xml:"xmlns:vosi,attr"`
	Available bool     `xml:"vosi:available"`
	UpSince   string   `xml:"vosi:upSince"`
	Note      []string `xml:"vosi:note"`
}

// slow is when a part that answers is called slow.
const slow = time.Second

// availability says whether the service is up, and which of its parts are down or slow
// (VOSI 1.1, section 5).
func (s *server) availability(w http.ResponseWriter, r *http.Request) error {
	up, notes := s.checkParts(r.Context())
	return xmlDocument(w, encode(availabilityXML{
		XMLNS: "http://www.ivoa.net/xml/VOSIAvailability/v1.0", Available: up, UpSince: uws.FormatInstant(s.started), Note: notes,
	}))
}

// checkParts asks the parts of the service. What they say holds for some seconds, so that
// asking often costs nothing.
func (s *server) checkParts(ctx context.Context) (up bool, notes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.checked) < checkEvery {
		return s.up, s.notes
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTime)
	defer cancel()
	errs, took := make([]error, len(s.Checks)), make([]time.Duration, len(s.Checks))
	var wg sync.WaitGroup
	for i, c := range s.Checks {
		wg.Go(func() {
			began := time.Now()
			errs[i] = c.Run(ctx)
			took[i] = time.Since(began)
		})
	}
	wg.Wait()
	s.checked, s.up, s.notes = time.Now(), true, nil
	for i, c := range s.Checks {
		note := c.Name + ": up"
		switch {
		case errs[i] != nil:
			s.Log.ErrorContext(ctx, "a part of the service is down", "part", c.Name, "error", errs[i])
			note = fmt.Sprintf("%s: down (%s)", c.Name, fault.Sentence(errs[i]))
			if c.Spare {
				note = "degraded; " + note
			} else {
				s.up = false
			}
		case took[i] > slow:
			note = fmt.Sprintf("degraded; %s: up, but slow (%s)", c.Name, took[i].Round(100*time.Millisecond))
		}
		s.notes = append(s.notes, note)
	}
	return s.up, s.notes
}

type capabilitiesXML struct {
	XMLName    xml.Name        `xml:"vosi:capabilities"`
	VOSI       string          `xml:"xmlns:vosi,attr"`
	VR         string          `xml:"xmlns:vr,attr"`
	VS         string          `xml:"xmlns:vs,attr"`
	XSI        string          `xml:"xmlns:xsi,attr"`
	Capability []capabilityXML `xml:"capability"`
}

type capabilityXML struct {
	StandardID string       `xml:"standardID,attr"`
	Interface  interfaceXML `xml:"interface"`
}

type interfaceXML struct {
	Type       string      `xml:"xsi:type,attr"`
	Role       string      `xml:"role,attr,omitempty"`
	Version    string      `xml:"version,attr"`
	AccessURL  urlXML      `xml:"accessURL"`
	QueryType  []string    `xml:"queryType"`
	ResultType string      `xml:"resultType,omitempty"`
	Param      []paramsXML `xml:"param"`
}

type urlXML struct {
	Use string `xml:"use,attr"`
	URL string `xml:",chardata"`
}

type paramsXML struct {
	Use         string  `xml:"use,attr"`
	Std         bool    `xml:"std,attr"`
	Name        string  `xml:"name"`
	Description string  `xml:"description"`
	Unit        string  `xml:"unit,omitempty"`
	UCD         string  `xml:"ucd,omitempty"`
	DataType    typeXML `xml:"dataType"`
}

type typeXML struct {
	Arraysize string `xml:"arraysize,attr"`
	Xtype     string `xml:"extendedType,attr,omitempty"`
	Type      string `xml:",chardata"`
}

func describeParam(p soda.Parameter) paramsXML {
	use := "optional"
	if p.Required {
		use = "required"
	}
	return paramsXML{
		Use: use, Std: p.Standard, Name: p.Name, Description: p.Description, Unit: p.Unit, UCD: p.UCD,
		DataType: typeXML{p.Arraysize, p.Xtype, p.Datatype},
	}
}

// capabilities describes the resources (VOSI 1.1, section 2; SODA 1.0, section 2.4;
// DataLink 1.1, section 2.2; DALI 1.1, section 2.3).
func (s *server) capabilities(w http.ResponseWriter, r *http.Request) error {
	describe := func(standard, version, path string) capabilityXML {
		return capabilityXML{StandardID: standard, Interface: interfaceXML{
			Type: "vs:ParamHTTP", Role: "std", Version: version, AccessURL: urlXML{"full", s.PublicURL + path},
		}}
	}
	form := func(c capabilityXML, result string, params []soda.Parameter) capabilityXML {
		c.Interface.QueryType, c.Interface.ResultType = []string{"GET", "POST"}, result
		for _, p := range params {
			c.Interface.Param = append(c.Interface.Param, describeParam(p))
		}
		return c
	}
	uws := describe("ivo://ivoa.net/std/UWS#rest-1.1", "1.1", "/async")
	uws.Interface.AccessURL.Use = "base"
	examples := describe("ivo://ivoa.net/std/DALI#examples", "1.1", "/examples")
	examples.Interface.Type, examples.Interface.Role = "vr:WebBrowser", ""
	w.Header().Set("Last-Modified", s.started.UTC().Format(http.TimeFormat))
	return xmlDocument(w, encode(capabilitiesXML{
		VOSI: "http://www.ivoa.net/xml/VOSICapabilities/v1.0",
		VR:   "http://www.ivoa.net/xml/VOResource/v1.0",
		VS:   "http://www.ivoa.net/xml/VODataService/v1.1",
		XSI:  "http://www.w3.org/2001/XMLSchema-instance",
		Capability: []capabilityXML{
			form(describe(syncID, "1.0", "/sync"), "application/fits", soda.Announced()),
			form(describe(asyncID, "1.0", "/async"), "application/fits", soda.Announced()),
			form(describe(linksID, "1.1", "/links"), datalinkType, linksParameters()),
			describe("ivo://ivoa.net/std/VOSI#capabilities", "1.1", "/capabilities"),
			describe("ivo://ivoa.net/std/VOSI#availability", "1.1", "/availability"),
			examples, uws,
		},
	}))
}
