package signing

import (
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// MaxExpiry is the longest time that a URL may hold, that of Google Cloud's signatures.
const MaxExpiry = 7 * 24 * time.Hour

// Checked returns the request with the name that it leaves open, the last part of the
// object's. The error is [fault.Usage] for what nothing could honour; the name of the
// object is for the backend to check.
func (r Request) Checked() (Request, error) {
	if r.Name == "" {
		r.Name = path.Base(r.Object)
	}
	refuse := func(format string, args ...any) (Request, error) {
		return Request{}, fault.New(fault.Usage, "signing.Checked", format, args...)
	}
	switch {
	case r.Method != http.MethodGet:
		return refuse("no URL can be signed for the method %q; want GET", r.Method)
	case r.Expiry <= 0 || r.Expiry > MaxExpiry:
		return refuse("no URL can be signed for %v; want more than 0 and at most %v", r.Expiry, MaxExpiry)
	case !utf8.ValidString(r.Name) || strings.ContainsFunc(r.Name, unicode.IsControl) || strings.ContainsAny(r.Name, `/\`):
		return refuse("the file name %q holds a slash or a control character", r.Name)
	}
	if _, _, err := mime.ParseMediaType(r.MIME); err != nil || strings.ContainsFunc(r.MIME, unicode.IsControl) {
		return refuse("%q is no media type", r.MIME)
	}
	return r, nil
}

// Disposition returns the header that saves an answer under name: in ASCII for old
// clients, and exact in UTF-8. Source: RFC 6266, sections 4.3 and 5; RFC 8187, section 3.2.
func Disposition(name string) string {
	var plain, exact strings.Builder
	for _, r := range name {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%`, r) { // some clients decode %
			r = '_'
		}
		plain.WriteRune(r)
	}
	for _, b := range []byte(name) {
		if b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || strings.IndexByte("!#$&+-.^_`|~", b) >= 0 {
			exact.WriteByte(b)
		} else {
			fmt.Fprintf(&exact, "%%%02X", b)
		}
	}
	header := `attachment; filename="` + plain.String() + `"`
	if plain.String() != name {
		header += "; filename*=UTF-8''" + exact.String()
	}
	return header
}
