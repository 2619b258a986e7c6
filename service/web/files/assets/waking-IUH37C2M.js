import{a,b,c,d,e,f}from"./chunk-RYTTC4GW.js";import"./chunk-67J3RIR3.js";export{d as canWake,c as startWaking,f as stopWaking,e as wake,b as wakingOf,a as wakings};
