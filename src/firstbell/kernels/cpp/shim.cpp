// What interpreter.py calls of Cling, by C's rules: run a cell; 0 or, with a message, 1 for an error.
#include <cstring>
#include <exception>
#include <iostream>
#include <string>
#include <typeinfo>

#include "TInterpreter.h"
#include "TROOT.h"

using namespace CppyyLegacy;

extern "C" int firstbell_begin() {
    return gROOT && gInterpreter ? 0 : 1;
}

extern "C" int firstbell_run(const char* code, char* message, std::size_t size) {
    std::string problem;
    int error = TInterpreter::kNoError;
    try {
        gInterpreter->ProcessLine(code, &error);
        if (error != TInterpreter::kNoError) problem = "the cell does not compile, or ended with an exception: see above";
    } catch (const std::exception& thrown) {
        problem = std::string("exception: ") + thrown.what();
    } catch (...) {
        problem = "an exception that is no std::exception";
    }
    std::cout.flush();
    std::cerr.flush();
    std::fflush(nullptr);
    std::strncpy(message, problem.c_str(), size - 1);
    return problem.empty() ? 0 : 1;
}
