--- rille.schema.format and address: what a format asserts. Rows of what fits and what does not; the public suite has more.
local effort = require "spec.support.effort"
local format = require "rille.schema.format"
local schema = require "rille.schema"

local rows = {
  ["date-time"] = {
    { "2024-05-31T12:00:00Z", "2024-05-31t12:00:00z", "1990-12-31T23:59:60Z", "2024-05-31T12:00:00.123456+02:00",
      "1998-12-31T15:59:60.123-08:00", "0001-01-01T00:00:00-00:00" },
    { "", "2024-05-31", "2024-05-31 12:00:00Z", "2024-05-31T12:00:00", "2024-05-31T25:00:00Z", "2024-02-30T12:00:00Z",
      "2024-05-31T12:00:60Z", "2024-05-31T12:00:00+24:00", "2024-05-31T12:00:00.Z", "2024-5-31T12:00:00Z",
      "x2024-05-31T12:00:00Z", "2024-05-31T12:00:00Zx", "T" },
  },
  date = {
    { "2024-02-29", "2000-02-29", "1999-12-31", "0000-01-01" },
    { "", "2023-02-29", "1900-02-29", "2024-13-01", "2024-00-01", "2024-01-32", "2024-04-31", "24-01-01", "2024/01/01",
      "2024-01-01\n", " 2024-01-01" },
  },
  time = {
    { "00:00:00Z", "23:59:59.9+23:59", "23:59:60Z", "12:00:00-05:30" },
    { "", "24:00:00Z", "12:60:00Z", "12:00:61Z", "12:00:00", "12:00Z", "12:00:60Z", "12:00:00+5:00", "12:00:00.Z" },
  },
  duration = {
    { "P1Y", "P1M", "P1D", "PT1H", "PT1M", "PT1S", "P1Y2M3DT4H5M6S", "P2W", "P0D" },
    { "", "P", "PT", "P1", "1D", "P1H", "PT1D", "P1YT", "P1D2M", "P1W2D", "P1.5D", "-P1D", "P1Y1D" },
  },
  email = {
    { "a@b", "joe.bloggs@example.com", "a+b@c.de", '"quoted @ local"@example.com', '"a\\"b"@c.de', "a@[127.0.0.1]",
      "a@[IPv6:::1]" },
    { "", "a", "@b", "a@", "a@@b", "a b@c", ".a@b", "a.@b", "a..b@c", "a@b_c", "a@-b", "a@b.", "a@[1.2.3]", "ä@b.de",
      '"a"b"@c', ("a"):rep(65) .. "@b.de" },
  },
  ["idn-email"] = {
    { "ä@ü.de", "실례@실례.테스트", "a@b.de" },
    { "", "ä", "@ü.de", "a\xff@b.de" },
  },
  hostname = {
    { "a", "localhost", "example.com", "a-b.c-d", "1.2.3.4", "xn--nxasmq6b", ("a"):rep(63) .. ".de" },
    { "", ".", "a.", ".a", "a..b", "-a", "a-", "a_b", "a b", "ä.de", ("a"):rep(64), ("a."):rep(127) .. "a" },
  },
  ipv4 = {
    { "0.0.0.0", "127.0.0.1", "255.255.255.255" },
    { "", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.4 ", "a.b.c.d", "1..2.3", "1.2.3.", "0x1.2.3.4" },
  },
  ipv6 = {
    { "::", "::1", "1::", "fe80::1", "2001:db8::8:800:200c:417a", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4",
      "1:2:3:4:5:6:1.2.3.4", "1::8", "1:2:3:4:5:6:7::" },
    { "", ":", ":::", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::", "1:2:3:4:5:6:7:1.2.3.4",
      "::1.2.3", "::1.2.3.4:5", "fe80::1%eth0", "[::1]", "1:", ":1", "1:2:3:4:5:6:7:8::" },
  },
  uri = {
    { "http://a", "https://user:pw@host:80/a/b?c=d#e", "urn:isbn:123", "mailto:a@b.de", "file:///etc/hosts", "a:",
      "http://[::1]:80/", "http://[v1.x]/", "http://a/%20", "http://", "tel:+1-2" },
    { "", "a", "/a", "//a", "http://a b", "http://a/%2", "http://a/%zz", "1http://a", "http://a:b", "http://[::1",
      "http://[x]/", "http://a/<b>", "http://ä.de", "http://a/\\b", "http://a^b", "http://a|b", "http://a\nb", ":" },
  },
  ["uri-reference"] = {
    { "", "a", "/a", "//a", "#a", "?a", "../b", "http://a", "a/b:c" },
    { "\\a", "a b", "#a#b", "%", "1:2", "//[" },
  },
  iri = {
    { "http://ä.de/ö?ü#ß", "http://a" },
    { "", "ä", "http://a b", "http://\xff.de" },
  },
  ["iri-reference"] = {
    { "ä", "/ä", "#ä", "" },
    { "ä b", "\\", "\xff" },
  },
  ["uri-template"] = {
    { "", "a", "{a}", "http://x/{a,b}{?c*,d:3}", "{+a}{#b}{.c}{/d}{;e}{&f}", "{a.b}", "%20" },
    { "{", "}", "{}", "{a", "{a b}", "{a:0}", "{a:x}", "{{a}}", "%", "a b", "{a,}", "{.}" },
  },
  uuid = {
    { "123e4567-e89b-12d3-a456-426614174000", "00000000-0000-0000-0000-000000000000",
      "ABCDEF00-ABCD-ABCD-ABCD-ABCDEFABCDEF" },
    { "", "123e4567e89b12d3a456426614174000", "123e4567-e89b-12d3-a456-42661417400", "g23e4567-e89b-12d3-a456-426614174000",
      "123e4567-e89b-12d3-a456-4266141740000", "{123e4567-e89b-12d3-a456-426614174000}", "123e456-7e89b-12d3-a456-426614174000" },
  },
  ["json-pointer"] = {
    { "", "/", "/a", "/a/0", "/a~0b", "/a~1b", "//" },
    { "a", "#/a", "/~", "/~2", "/a~" },
  },
  ["relative-json-pointer"] = {
    { "0", "1/a", "0#", "12/b/0" },
    { "", "/a", "01", "-1", "0##", "1a" },
  },
  regex = {
    { "", "^a$", "[a-z]+", "(?<n>a)\\k<n>", "(?<=a+)b", "[]" },
    { "(", "[a", "*", "\\a", "(?P<n>a)", "a++" },
  },
}


describe("rille.schema.format", function()
  for _, name in ipairs(format.names()) do
    it("holds strings to " .. name, function()
      local fits = format.of(name).fits
      for _, text in ipairs(rows[name][1]) do assert.is_true(fits(text), ("%q should fit"):format(text)) end
      for _, text in ipairs(rows[name][2]) do assert.is_false(fits(text), ("%q should not fit"):format(text)) end
    end)

    it("says in words what " .. name .. " is, and nothing of other types", function()
      local compiled = schema.compile { format = name }
      local _, errors = compiled:validate(rows[name][2][#rows[name][2]])
      assert.matches("must be " .. format.of(name).words, errors[1].message, 1, true)
      for _, v in ipairs { 5, 1.5, true, { 1 }, { a = 1 } } do assert.is_true(compiled:is_valid(v)) end
    end)
  end

  it("gives nil for formats that are annotations", function()
    assert.is_nil(format.of "idn-hostname")
    assert.is_nil(format.of "binary")
    assert.is_nil(format.of "")
  end)

  it("is quick for hostile texts", function()
    local before = os.clock()
    for _, name in ipairs(format.names()) do
      for _, piece in ipairs { "a", ":", ".", "1.", "%20", "@", "{", "P1" } do
        format.of(name).fits(piece:rep(effort.some(20000) // #piece))
      end
      format.of(name).fits(("("):rep(effort.some(2000)))
    end
    assert.is_true(os.clock() - before < effort.within(5))
  end)
end)
