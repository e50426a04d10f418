// What a notebook can show beside text, in every cell: jupyter::html("<b>…"), jupyter::svg("<svg…").
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>
namespace jupyter {
inline std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (unsigned char c : text) {
        if (c == '"' || c == '\\') { out += '\\'; out += c; }
        else if (c < ' ') { char code[8]; std::snprintf(code, sizeof code, "\\u%04x", c); out += code; }
        else out += c;
    }
    return out + '"';
}
inline void show(const std::string& mime, const std::string& data) {
    std::cout.flush();
    std::fflush(nullptr);
    std::ofstream(std::getenv("PIPE_KERNEL_OUT")) << "{\"data\": {" << quoted(mime) << ": " << quoted(data) << "}}\n";
}
inline void html(const std::string& text) { show("text/html", text); }
inline void svg(const std::string& text) { show("image/svg+xml", text); }
inline void markdown(const std::string& text) { show("text/markdown", text); }
inline void png(const std::string& base64) { show("image/png", base64); }
}
