package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// How long a web archive may take.
const (
	webConnect = 10 * time.Second // to connect, and again for TLS
	webAnswer  = 30 * time.Second // to begin its answer
	webStall   = 30 * time.Second // with its next piece
)

// web is a Root over a web server.
type web struct {
	base   *url.URL
	client *http.Client
	stall  time.Duration // between two pieces of an answer
}

// OpenWeb returns a Root over a web server that answers ranges and names versions (ETag or
// Last-Modified); nothing is asked yet. Requests carry no credentials, go through no
// proxy, and follow redirects only within the same scheme and host. They connect to
// public addresses only, or, if base names this machine (localhost, 127.0.0.1, ::1), to
// this machine only, and only then is http:// taken. The error is [fault.Usage].
//
// Source: RFC 9110, sections 8.8 (versions), 13.1 (preconditions) and 14 (ranges).
func OpenWeb(base *url.URL) (Root, error) {
	refuse := func(format string, args ...any) error {
		return fault.New(fault.Usage, "objects.OpenWeb", format, args...)
	}
	ip, _ := netip.ParseAddr(base.Hostname())
	here := base.Hostname() == "localhost" || ip.IsLoopback()
	switch {
	case base.Hostname() == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, refuse("the archive %q cannot be used; want https://host/path without user name, ? and #", base.Redacted())
	case base.Scheme != "https" && !(base.Scheme == "http" && here):
		return nil, refuse("the archive %q is not https; http:// is taken only for this machine", base.Redacted())
	case ip.IsValid() && !allowed(ip, here):
		return nil, refuse("the archive %q is at a private address; want a public host", base.Redacted())
	}
	dialer := &net.Dialer{Timeout: webConnect, Control: func(_, address string, _ syscall.RawConn) error {
		if to, err := netip.ParseAddrPort(address); err != nil || !allowed(to.Addr(), here) {
			return fault.New(fault.Forbidden, "objects.OpenWeb", "the archive's host has an address that is not public")
		}
		return nil
	}}
	return &web{base: base, stall: webStall, client: &http.Client{
		Transport: &http.Transport{
			DialContext:           dialer.DialContext,
			ForceAttemptHTTP2:     true,
			TLSHandshakeTimeout:   webConnect,
			ResponseHeaderTimeout: webAnswer,
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConns:          256, // as many as package fits has ranges under way at once
			MaxIdleConnsPerHost:   256,
			DisableCompression:    true,
		},
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			if next.URL.Scheme != base.Scheme || next.URL.Host != base.Host || len(via) > 5 {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}}, nil
}

// notPublic holds networks that netip does not name but that lead inside: this network,
// shared address space (RFC 6598), protocol assignments (RFC 6890), benchmarks (RFC 2544),
// reserved (RFC 1112), and IPv6 forms that carry an IPv4 address (RFC 6052, 8215, 3056, 4380).
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("2001::/32"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("fec0::/10"),
}

// allowed reports whether a web archive may be at ip: on this machine if here, else at a
// public address.
func allowed(ip netip.Addr, here bool) bool {
	ip = ip.Unmap().WithZone("")
	if here {
		return ip.IsLoopback()
	}
	for _, network := range notPublic {
		if network.Contains(ip) {
			return false
		}
	}
	return ip.IsGlobalUnicast() && !ip.IsPrivate() // which leaves loopback and link-local out
}

func (w *web) String() string { return w.base.String() }

func (w *web) Close() error {
	w.client.CloseIdleConnections()
	return nil
}

// Check asks the server for the base address. Any answer below 500 will do: many archives
// list nothing there.
func (w *web) Check(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, w.base.String(), nil)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "objects.Check", "the address of an archive makes no request")
	}
	answer, err := w.client.Do(request)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "objects.Check", "an archive does not answer")
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusInternalServerError {
		return fault.New(fault.Unavailable, "objects.Check", "an archive answers status %d", answer.StatusCode)
	}
	return nil
}

// version is what a server says about the object that it answers with.
type version struct {
	etag, modified string
	size           int64
}

func (w *web) Open(ctx context.Context, name string) (Source, error) {
	if err := CleanName(name); err != nil {
		return nil, err
	}
	segments := strings.Split(name, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	s := &webSource{client: w.client, stall: w.stall, url: w.base.JoinPath(segments...).String(), name: name}
	answer, err := s.get(ctx, "bytes=0-0")
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close() // at most one byte is left in it: the connection lives on
	switch s.version, err = readVersion(answer); {
	case answer.StatusCode == http.StatusRequestedRangeNotSatisfiable && s.version.size == 0:
	case answer.StatusCode == http.StatusOK && answer.ContentLength == 0:
		s.version.size = 0
	case answer.StatusCode == http.StatusOK:
		return nil, fault.New(fault.Unsupported, "objects.Open", "the archive's server does not answer ranges of bytes for %q (status 200 to a Range request); want one that does", name)
	case answer.StatusCode != http.StatusPartialContent:
		return nil, statusError("objects.Open", name, answer)
	case err != nil:
		return nil, fault.Wrap(err, fault.Unsupported, "objects.Open", "the archive's server does not say how large %q is; want a Content-Range with the size", name)
	}
	switch {
	case answer.Header.Get("Content-Encoding") != "":
		return nil, fault.New(fault.Unsupported, "objects.Open", "the archive's server sends %q with Content-Encoding %q; want the bytes as they are", name, answer.Header.Get("Content-Encoding"))
	case s.version.etag == "" && s.version.modified == "":
		return nil, fault.New(fault.Unsupported, "objects.Open", "the archive's server names no version of %q; want an ETag or Last-Modified header", name)
	}
	return s, nil
}

// get asks for one range of the object. The caller closes the body.
func (s *webSource) get(ctx context.Context, span string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, fault.Wrap(err, fault.Usage, "objects.Open", "the name %q makes no address", s.name)
	}
	request.Header.Set("Range", span)
	request.Header.Set("Accept-Encoding", "identity")
	request.Header.Set("User-Agent", "seltzer (SODA image cutouts)")
	// A weak ETag never matches If-Match; the answer's version is compared in any case.
	if e := s.version.etag; e != "" && !strings.HasPrefix(e, "W/") {
		request.Header.Set("If-Match", e)
	} else if s.version.modified != "" {
		request.Header.Set("If-Unmodified-Since", s.version.modified)
	}
	answer, err := s.client.Do(request)
	if err == nil {
		return answer, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if refused, ok := errors.AsType[*fault.Error](err); ok {
		return nil, refused
	}
	return nil, fault.Wrap(err, fault.Unavailable, "objects.Open", "the archive did not answer for %q; ask again later", s.name)
}

// readVersion reads the version and, from Content-Range, the size of the whole object.
// Source: RFC 9110, section 14.4.
func readVersion(answer *http.Response) (version, error) {
	v := version{etag: answer.Header.Get("ETag"), modified: answer.Header.Get("Last-Modified"), size: -1}
	_, total, ok := strings.Cut(answer.Header.Get("Content-Range"), "/")
	size, err := strconv.ParseInt(total, 10, 64)
	if !ok || err != nil || size < 0 {
		return v, fmt.Errorf("Content-Range %q", answer.Header.Get("Content-Range"))
	}
	v.size = size
	return v, nil
}

// statusError gives an answer that holds no bytes of the object its kind and a sentence.
func statusError(op, name string, answer *http.Response) error {
	code := answer.StatusCode
	switch {
	case code == http.StatusNotFound || code == http.StatusGone:
		return fault.New(fault.NotFound, op, "there is no object %q", name)
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return fault.New(fault.Forbidden, op, "the archive does not let this service read %q (status %d)", name, code)
	case code/100 == 3:
		return fault.New(fault.Unsupported, op, "the archive redirects %q to another host, which is not followed (status %d); want the archive's own address", name, code)
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code/100 == 5:
		return fault.New(fault.Unavailable, op, "the archive cannot answer for %q now (status %d); ask again later", name, code)
	}
	return fault.New(fault.Unsupported, op, "the archive answers status %d for a range of %q; want 206", code, name)
}

// webSource is one version of one object on a web server.
type webSource struct {
	client  *http.Client
	stall   time.Duration
	url     string
	name    string
	version version
}

func (s *webSource) Name() string { return s.name }
func (s *webSource) Size() int64  { return s.version.size }
func (s *webSource) Close() error { return nil }

func (s *webSource) Generation() string {
	if s.version.etag != "" {
		return s.version.etag
	}
	return fmt.Sprintf("%d, %s", s.version.size, s.version.modified)
}

func (s *webSource) ModTime() time.Time {
	t, err := http.ParseTime(s.version.modified)
	if err != nil {
		return time.Time{}
	}
	return t
}

func (s *webSource) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	part, done, err := clip(p, off, s.version.size)
	if done {
		return 0, err
	}
	asked := ctx
	ctx, cancel := context.WithCancel(asked)
	defer cancel()
	last := off + int64(len(part)) - 1
	answer, err := s.get(ctx, fmt.Sprintf("bytes=%d-%d", off, last))
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	now, err := readVersion(answer)
	switch code := answer.StatusCode; {
	case code == http.StatusPreconditionFailed, code == http.StatusRequestedRangeNotSatisfiable, code == http.StatusNotFound, code == http.StatusGone:
		return 0, errChanged(s.name)
	case code != http.StatusPartialContent && code != http.StatusOK:
		return 0, statusError("objects.ReadAt", s.name, answer)
	case code == http.StatusOK || err == nil && now != s.version:
		return 0, errChanged(s.name)
	case err != nil || !strings.HasPrefix(answer.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-%d/", off, last)):
		return 0, fault.New(fault.Unavailable, "objects.ReadAt", "the archive answered another range of %q than was asked for; ask again later", s.name)
	}
	timer := time.AfterFunc(s.stall, cancel)
	defer timer.Stop()
	for n := 0; n < len(part); {
		m, err := answer.Body.Read(part[n:])
		timer.Reset(s.stall)
		n += m
		switch {
		case n == len(part):
		case asked.Err() != nil:
			return 0, asked.Err()
		case ctx.Err() != nil:
			return 0, fault.New(fault.Unavailable, "objects.ReadAt", "the archive sent nothing of %q for %v; ask again later", s.name, s.stall)
		case err != nil:
			return 0, fault.Wrap(err, fault.Unavailable, "objects.ReadAt", "the archive broke off while %q was read; ask again later", s.name)
		}
	}
	if len(part) < len(p) {
		return len(part), io.EOF
	}
	return len(part), nil
}
