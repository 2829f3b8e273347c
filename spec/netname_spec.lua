--- rille.netname: hosts and addresses.
local netname = require "rille.netname"


describe("rille.netname.host_of", function()
  it("gives the host of a URL", function()
    local rows = {
      { "http://example.org", "example.org" }, { "HTTPS://Example.org:443/a?b#c", "Example.org" },
      { "http://[::1]:80/", "::1" }, { "http://1.2.3.4", "1.2.3.4" }, { "http://a/b@c", "a" }, { "http://a?u=http://b", "a" },
    }
    for _, row in ipairs(rows) do assert.equal(row[2], (netname.host_of(row[1])), row[1]) end
  end)

  it("refuses what names no host, or could be read in two ways", function()
    for _, url in ipairs {
      "", "example.org", "/a", "ftp://example.org", "file:///etc/passwd", "http:///a", "http://user@example.org",
      "http://a:b@c/", "http://example.org\\@127.0.0.1/", "http://exa mple.org", "http://%31.0.0.1/", "http://a\nb",
      "http://[::1", "javascript:alert(1)", "http://a#b#c", "http:a",
    } do
      local host, why = netname.host_of(url)
      assert.is_nil(host, url)
      assert.is_string(why)
    end
  end)
end)


describe("rille.netname.is_private", function()
  it("is true for what is not routed in public", function()
    for _, address in ipairs {
      "0.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.1", "127.0.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.1",
      "172.31.255.255", "192.0.0.1", "192.168.1.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
      "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
      "::ffff:7f00:1", "64:ff9b::10.0.0.1", "2002:7f00:1::", "2002:a00:1::1", "::127.0.0.1", "", "localhost", "1.2.3",
    } do
      assert.is_true(netname.is_private(address), address)
    end
  end)

  it("is false for public addresses", function()
    for _, address in ipairs {
      "1.1.1.1", "8.8.8.8", "93.184.216.34", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.167.0.1",
      "223.255.255.255", "2606:2800:220:1:248:1893:25c8:1946", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
      "2002:808:808::1",
    } do
      assert.is_false(netname.is_private(address), address)
    end
  end)
end)
