package pack

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// DefaultTemplate names a file by the label of its row and the row's number.
const DefaultTemplate = "{label}_{row}.fits"

const (
	maxTemplate = 200 // bytes
	maxPart     = 80  // bytes of a name that come from a label or an ID
)

var usual = func() *Template {
	t, err := ParseTemplate(DefaultTemplate)
	if err != nil {
		return nil // not reached: a test reads it
	}
	return t
}()

// Template makes names of files of the fields {label}, {row} and {id}.
//
// A name is safe as a path on every system: letters, digits and . _ + - alone, of which no
// part begins with a point or a dash; other characters of a label become _. It is unique
// since {row} must be in the template; further cutouts of a row have their number behind it.
type Template struct {
	text  string
	parts []part
}

// part is a text, or the field whose name it is.
type part struct {
	text  string
	field bool
}

var (
	templateField = regexp.MustCompile(`\{[^{}]*\}`)
	templateText  = regexp.MustCompile(`^[A-Za-z0-9._+/-]*$`)
	reserved      = regexp.MustCompile(`(?i)^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)`)
)

// ParseTemplate reads a template. The error is [fault.Usage].
func ParseTemplate(text string) (*Template, error) {
	const op = "pack.ParseTemplate"
	t := &Template{text: text}
	if len(text) > maxTemplate {
		return nil, fault.New(fault.Usage, op, "the template has %d bytes; want at most %d", len(text), maxTemplate)
	}
	at, row := 0, false
	literal := func(s string) error {
		if !templateText.MatchString(s) {
			return fault.New(fault.Usage, op, "the template %.100q holds %.40q; want letters, digits and . _ + - /, and the fields {label}, {row} and {id}", text, s)
		}
		if s != "" {
			t.parts = append(t.parts, part{text: s})
		}
		return nil
	}
	for _, f := range templateField.FindAllStringIndex(text, -1) {
		if err := literal(text[at:f[0]]); err != nil {
			return nil, err
		}
		name := text[f[0]+1 : f[1]-1]
		switch name {
		case "row":
			row = true
		case "label", "id":
		default:
			return nil, fault.New(fault.Usage, op, "the template %.100q has the field {%.40s}; want {label}, {row} or {id}", text, name)
		}
		t.parts = append(t.parts, part{name, true})
		at = f[1]
	}
	if err := literal(text[at:]); err != nil {
		return nil, err
	}
	if !row {
		return nil, fault.New(fault.Usage, op, "the template %.100q has no {row}, which makes names unique; want such as %s", text, DefaultTemplate)
	}
	for _, folder := range strings.Split(text, "/") {
		if folder == "" || folder[0] == '.' || folder[0] == '-' {
			return nil, fault.New(fault.Usage, op, "the template %.100q has a part that is empty or begins with . or -", text)
		}
	}
	return t, nil
}

// String returns the template as it was read.
func (t *Template) String() string { return t.text }

// Name returns the name of an entry's file.
func (t *Template) Name(e Entry) string {
	b := make([]byte, 0, 64)
	for i, p := range t.parts {
		if !p.field {
			b = append(b, p.text...)
			continue
		}
		first := i == 0 || strings.HasSuffix(t.parts[i-1].text, "/") && !t.parts[i-1].field
		switch p.text {
		case "row":
			b = strconv.AppendInt(b, e.Row, 10)
			if e.Of > 1 {
				b = strconv.AppendInt(append(b, '.'), int64(e.Of), 10)
			}
		case "label":
			if e.Label == "" {
				b = append(b, "row"...)
			} else {
				b = appendSafe(b, e.Label, first)
			}
		case "id":
			b = appendSafe(b, stem(e.ID), first)
		}
	}
	return safeParts(string(b))
}

// stem returns the file name in an ID, without what tells its kind.
func stem(id string) string {
	if i := strings.LastIndexAny(id, "/?#:"); i >= 0 {
		id = id[i+1:]
	}
	for _, suffix := range []string{".gz", ".fz", ".fits", ".fit"} {
		id = strings.TrimSuffix(id, suffix)
	}
	return id
}

// appendSafe appends the characters of s that a file's name may have, and _ for the others.
func appendSafe(b []byte, s string, first bool) []byte {
	start := len(b)
	for i := 0; i < len(s) && len(b)-start < maxPart; {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '+':
			b = append(b, byte(r))
		case (r == '.' || r == '-') && !(first && len(b) == start):
			b = append(b, byte(r))
		default:
			b = append(b, '_')
		}
		i += n
	}
	if len(b) == start && first {
		b = append(b, '_')
	}
	return b
}

// safeParts puts _ before the parts of a name that some systems keep for devices.
func safeParts(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		if reserved.MatchString(p) {
			parts[i] = "_" + p
		}
	}
	return strings.Join(parts, "/")
}
