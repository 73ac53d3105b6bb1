package api

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Limits of a request's parameters.
const (
	maxForm     = 1 << 20 // bytes of a body …
	maxManifest = 2 << 30 // … that may hold a manifest
	maxParams   = 1000
	maxName     = 100 // bytes of a parameter's name
)

// form holds the parameters of a request, names in upper case, in the order in which they
// were sent: those of the URL first, then those of the body.
type form []uws.Param

// readForm reads the parameters of the URL and of the body, which may be urlencoded or
// multipart. The errors are [fault.Usage] and [fault.TooLarge].
func readForm(w http.ResponseWriter, r *http.Request) (form, error) { return readFormWith(w, r, nil) }

// takeFile keeps the file of a parameter.
type takeFile func(parameter, name string, body io.Reader) error

// readFormWith is readForm for a request that may come with a file.
func readFormWith(w http.ResponseWriter, r *http.Request, take takeFile) (form, error) {
	f, err := parseQuery(nil, r.URL.RawQuery)
	if err != nil || r.Method != http.MethodPost {
		return f, err
	}
	limit := int64(maxForm)
	if take != nil {
		limit = maxManifest
	}
	kind, options, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "multipart/form-data" {
		limit = maxForm
	}
	body := http.MaxBytesReader(w, r.Body, limit)
	switch {
	case r.Header.Get("Content-Type") == "" && r.ContentLength == 0:
		return f, nil
	case err == nil && kind == "application/x-www-form-urlencoded":
		encoded, err := io.ReadAll(body)
		if err != nil {
			return nil, bodyError(err)
		}
		return parseQuery(f, string(encoded))
	case err == nil && kind == "multipart/form-data" && options["boundary"] != "":
		r.Body = body
		return readMultipart(f, r, take)
	}
	return nil, fault.New(fault.Usage, "api.readForm", "a body of type %.80q cannot be read; send application/x-www-form-urlencoded or multipart/form-data", r.Header.Get("Content-Type"))
}

func bodyError(err error) error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.New(fault.TooLarge, "api.readForm", "the body is larger than %d bytes; divide the request", tooLarge.Limit)
	}
	return fault.New(fault.Usage, "api.readForm", "the body cannot be read: %w", err)
}

// parseQuery appends the pairs of an urlencoded text to f. net/url's own parser forgets
// the order of pairs with different names, which numbers the results of a job.
func parseQuery(f form, encoded string) (form, error) {
	for pair := range strings.SplitSeq(encoded, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil {
			return nil, fault.New(fault.Usage, "api.parseQuery", "the parameters are not urlencoded (write %% as %%25): %w", err)
		}
		if f, err = f.add(name, value); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func readMultipart(f form, r *http.Request, take takeFile) (form, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, bodyError(err)
	}
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			return f, nil
		}
		if err != nil {
			return nil, bodyError(err)
		}
		if name := part.FileName(); name != "" {
			if take == nil {
				return nil, errUpload(name)
			}
			if err := take(part.FormName(), name, part); err != nil {
				return nil, err
			}
			if f, err = f.add(part.FormName(), name); err != nil {
				return nil, err
			}
			continue
		}
		value, err := io.ReadAll(io.LimitReader(part, maxForm+1))
		if err != nil {
			return nil, bodyError(err)
		}
		if len(value) > maxForm {
			return nil, bodyError(&http.MaxBytesError{Limit: maxForm})
		}
		if f, err = f.add(part.FormName(), string(value)); err != nil {
			return nil, err
		}
	}
}

// add appends a parameter. What no text holds is refused here, before it can reach a log,
// a header or a document.
func (f form) add(name, value string) (form, error) {
	const op = "api.readForm"
	switch {
	case len(f) == maxParams:
		return nil, fault.New(fault.TooLarge, op, "the request has more than %d parameters; divide it", maxParams)
	case len(name) > maxName:
		return nil, fault.New(fault.Usage, op, "the name of a parameter has %d bytes; want at most %d", len(name), maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return nil, fault.New(fault.Usage, op, "the name %q of a parameter holds a control character, or is no UTF-8; want text", name)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unprintable):
		return nil, fault.New(fault.Usage, op, "the value %.40q of %s holds a control character, or is no UTF-8; want text", value, name)
	}
	return append(f, uws.Param{Name: strings.ToUpper(name), Value: value}), nil
}

// unprintable reports whether r is a control character, other than the white space that may
// stand between numbers.
func unprintable(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r", r) }

// one returns the value of a parameter that may be given once; "" if it is absent or empty.
func (f form) one(name string) (value string, err error) {
	for _, p := range f {
		if p.Name != name || p.Value == "" {
			continue
		}
		if value != "" {
			return "", fault.New(fault.MultiValued, "api.form", "%s was given more than once; want one value", name)
		}
		value = p.Value
	}
	return value, nil
}

// all returns the values of a parameter that are not empty.
func (f form) all(name string) (values []string) {
	for _, p := range f {
		if p.Name == name && p.Value != "" {
			values = append(values, p.Value)
		}
	}
	return values
}
