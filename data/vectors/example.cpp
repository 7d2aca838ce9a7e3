// The vwap vectors against a bot's own vwap: a page to copy. C++17, no library.
//
//   g++ -std=c++17 -O2 -o example example.cpp
//   ./example vwap.json                  prints PASS or FAIL a case, exit code 1 if one fails
//   ./example vwap.json answers.json     writes {"id": answer, ...} for `mmverify vectors check answers.json`

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

// --- what is under test: replace it by a call of your own code -------------------------------------------------------

std::optional<double> vwap(const std::vector<double>& prices, const std::vector<double>& qtys) {
    if (prices.size() != qtys.size()) return std::nullopt;
    double turnover = 0, volume = 0;
    for (std::size_t i = 0; i < prices.size(); ++i) {
        if (!(prices[i] > 0) || !(qtys[i] >= 0)) return std::nullopt;  // NaN fails both
        turnover += prices[i] * qtys[i];
        volume += qtys[i];
    }
    if (volume == 0) return std::nullopt;
    return turnover / volume;
}

// --- JSON, as much of it as the vectors use --------------------------------------------------------------------------

struct Json {
    enum Kind { Null, Bool, Number, Text, List, Object } kind = Null;
    std::string text;  // of Text, Number and Bool
    std::vector<Json> items;
    std::map<std::string, Json> fields;

    const Json& operator[](const std::string& name) const { return fields.at(name); }
    bool has(const std::string& name) const { return fields.count(name) > 0; }
};

class Reader {
  public:
    explicit Reader(std::string source) : source_(std::move(source)) {}

    Json value() {
        Json found;
        switch (peek()) {
            case '{':
                found.kind = Json::Object;
                for (take('{'); peek() != '}'; skip(',')) {
                    std::string name = string();
                    take(':');
                    found.fields[name] = value();
                }
                take('}');
                return found;
            case '[':
                found.kind = Json::List;
                for (take('['); peek() != ']'; skip(',')) found.items.push_back(value());
                take(']');
                return found;
            case '"':
                found.kind = Json::Text;
                found.text = string();
                return found;
            default:
                while (at_ < source_.size() && !std::strchr(",]} \n", source_[at_])) found.text += source_[at_++];
                found.kind = found.text == "null" ? Json::Null : std::isalpha(found.text[0]) ? Json::Bool : Json::Number;
                return found;
        }
    }

  private:
    char peek() {
        while (at_ < source_.size() && std::isspace(static_cast<unsigned char>(source_[at_]))) ++at_;
        if (at_ == source_.size()) throw std::runtime_error("the file ends too early");
        return source_[at_];
    }
    void take(char wanted) {
        if (peek() != wanted) throw std::runtime_error(std::string("expected ") + wanted);
        ++at_;
    }
    void skip(char optional) {
        if (peek() == optional) ++at_;
    }
    std::string string() {
        std::string found;
        for (take('"'); source_.at(at_) != '"'; ++at_) {
            if (source_[at_] == '\\') ++at_;  // \" and \\; the vectors' numbers and names hold no other
            found += source_.at(at_);
        }
        ++at_;
        return found;
    }

    std::string source_;
    std::size_t at_ = 0;
};

// --- numbers and the rule of agreement -------------------------------------------------------------------------------

// "100.05", "302/3" or "NaN".
double number(const std::string& text) {
    auto slash = text.find('/');
    double value = std::strtod(text.c_str(), nullptr);
    return slash == std::string::npos ? value : value / std::strtod(text.c_str() + slash + 1, nullptr);
}

std::vector<double> numbers(const Json& list) {
    std::vector<double> found;
    for (const Json& each : list.items) found.push_back(number(each.text));
    return found;
}

double ulp(double value) {
    value = std::fabs(value);
    return std::nextafter(value, INFINITY) - value;
}

// A double agrees within 4 ulp of the answer, or of "scale", the size of the terms that it is a difference of.
bool agrees(const Json& test, const std::optional<double>& got) {
    const Json& expected = test["expected"];
    if (test["result"].text == "invalid" || expected.kind == Json::Null) return !got;
    if (!got) return false;
    double exact = number(expected.text);
    double size = test.has("scale") ? std::max(std::fabs(exact), number(test["scale"].text)) : std::fabs(exact);
    return std::fabs(*got - exact) <= 4 * ulp(size);
}

int main(int argc, char** argv) {
    if (argc < 2) {
        std::cerr << "usage: example vwap.json [answers.json]\n";
        return 2;
    }
    std::ifstream file(argv[1]);
    if (!file) {
        std::cerr << argv[1] << ": cannot be read\n";
        return 2;
    }
    std::stringstream source;
    source << file.rdbuf();
    const Json vectors = Reader(source.str()).value();

    std::ofstream answers;
    if (argc > 2) answers.open(argv[2]);
    int cases = 0, failed = 0;
    for (const Json& group : vectors["groups"].items) {
        for (const Json& test : group["tests"].items) {
            auto got = vwap(numbers(test["inputs"]["prices"]), numbers(test["inputs"]["qtys"]));
            char text[32] = "null";
            if (got) std::snprintf(text, sizeof text, "%.17e", *got);
            if (answers.is_open()) {
                answers << (cases ? ",\n " : "{") << '"' << test["id"].text << "\": " << text;
            } else {
                bool passed = agrees(test, got);
                failed += !passed;
                std::cout << (passed ? "PASS " : "FAIL ") << test["id"].text << "  " << test["comment"].text;
                if (!passed) std::cout << ": was " << text << ", should be " << test["expected"].text;
                std::cout << '\n';
            }
            ++cases;
        }
    }
    if (answers.is_open()) answers << "}\n";
    else std::cout << cases - failed << " of " << cases << " cases pass\n";
    return failed ? 1 : 0;
}
