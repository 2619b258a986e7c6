import{a,b,c,d,e,f}from"./chunk-RVT36X2K.js";import"./chunk-67J3RIR3.js";export{d as canWake,c as startWaking,f as stopWaking,e as wake,b as wakingOf,a as wakings};
