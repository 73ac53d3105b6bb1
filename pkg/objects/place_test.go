package objects

import "testing"

func TestParsePlace(t *testing.T) {
	for _, tt := range []struct{ in, folder, url string }{
		{"data", "data", ""},
		{"/data/dr1/", "/data/dr1", ""},
		{"/data/a=b?c#d%20e", "/data/a=b?c#d%20e", ""},
		{"file:///data/dr%201", "/data/dr 1", ""},
		{"file://localhost/data", "/data", ""},
		{"file://./data", "data", ""},
		{"file://.", ".", ""},
		{"mem://", "", "mem:"},
		{"mem://bucket/", "", "mem://bucket"},
		{"mem://bucket/dr1/real/", "", "mem://bucket?prefix=dr1%2Freal%2F"},
		{"mem://bucket/dr1?nomd5", "", "mem://bucket?nomd5=&prefix=dr1%2F"},
		{"https://host/a%2Fb", "", "https://host/a%2Fb"},
	} {
		got, err := parsePlace("test", tt.in)
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
			continue
		}
		url := ""
		if got.url != nil {
			url = got.url.String()
		}
		if got.folder != tt.folder || url != tt.url {
			t.Errorf("%q is the folder %q, the URL %q; want %q, %q", tt.in, got.folder, url, tt.folder, tt.url)
		}
	}
}
